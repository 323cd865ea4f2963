"""Wordings of the billiards family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook
from worldloom.worlds.scene import Thing


def _balls(c: Context) -> list[Thing]:
    return c.cast[1:-1]


def _struck(c: Context) -> Thing:
    """The first ball that the cue ball touches; the first one on the table when it touches none."""
    hits = c.events("hit", "cue_ball")
    return c.things[hits[0].whom or ""] if hits else _balls(c)[0]


def _touched(c: Context) -> int:
    """How many balls the cue ball itself has touched."""
    return len({event.whom for event in c.events("hit", "cue_ball")})


def _passed_on(c: Context) -> bool:
    """Whether balls other than the cue ball have hit each other."""
    return any(event.who != "cue_ball" for event in c.events("hit"))


class English(Phrasebook):
    def line(self, c: Context) -> str:
        cue = en.a(c, c.main, 0.15)
        # Always said: the floor that may follow would else be what the balls lie on.
        table = c.pick(" on a green table", " on a billiard table", " on a pool table")
        if c.facts.outcome == "misses":
            return c.pick(
                f"{cue} misses {self._targets(c)}{table}",
                f"{cue} rolls past {self._targets(c)}{table}",
                f"{cue} rolls without touching {' or '.join(self._targets(c).rsplit(' and ', 1))}{table}",
            )
        hits = c.pick("hits", "strikes", "knocks into", "runs into")
        if c.details["cushion_first"] and c.chance(0.6):
            hits = f"{c.pick('comes off the cushion', 'bounces off a cushion')} and {hits}"
        if c.details["rack"]:
            if c.details["moved"] > 1:
                return c.pick(
                    f"{cue} breaks {self._rack(c)}{table}",
                    f"{cue} scatters {self._rack(c)}{table}",
                    f"{cue} {hits} {self._rack(c)}{table}",
                )
            return f"{cue} {hits} {self._rack(c)}{table}"
        if c.details["line"] and c.chance(0.7):
            return f"{cue} {hits} a line of {en.number(c.details['count'])} balls{table}"
        target = en.a(c, _struck(c), 0.2)
        if c.facts.outcome == "hits_several":
            return f"{cue} {hits} {target}, setting {en.number(c.details['moved'])} balls moving{table}"
        return c.pick(
            f"{cue} {hits} {target}{table}",
            f"{cue} sets {target} rolling{table}" if c.details["moved"] else f"{cue} {hits} {target}{table}",
        )

    def opening(self, c: Context) -> str:
        cue = en.a(c, c.main, 0.3)
        all_balls = f"{cue} and {self._rack(c)}" if c.details["rack"] else en.listing([cue, *self._others(c)])
        wood = c.things["cushions"].paint.colour
        return c.pick(
            f"{cue} rolls towards {self._targets(c)} on a green billiard table with {wood} cushions, standing",
            f"a green billiard table with {en.article(wood)} wooden frame holds {all_balls}, and stands",
            f"{all_balls} are on a green pool table",
        )

    def scene(self, c: Context, material: float) -> str:
        cue, table = en.a(c, c.main, 0.3 * material), c.pick("billiard table", "pool table")
        balls = en.listing([cue, *(en.a(c, ball, 0.3 * material) for ball in _balls(c))])
        if c.details["count"] > 3:
            balls = f"{cue} and {en.number(c.details['count'])} other balls"
        return c.pick(f"{balls} on a green {table}", f"a green {table} with {balls}")

    def story(self, c: Context) -> list[str]:
        cue = c.pick("the cue ball", en.the(c, c.main))
        said = [
            c.pick(
                f"{cue} runs to the {c.details['direction']}",
                f"{cue} is shot to the {c.details['direction']}",
            )
        ]
        if c.details["cushion_first"]:
            said.append(c.pick("it comes off a cushion first", "first it bounces off the cushion"))
        if c.facts.outcome == "misses":
            said.append(
                c.pick(
                    f"it passes {'the others' if c.details['count'] > 1 else en.the(c, _balls(c)[0])}",
                    "it touches no other ball",
                )
            )
            if c.details["cushions"]:
                said.append(c.pick("it bounces off the cushion", "the cushion sends it back"))
        else:
            target = en.the(c, _struck(c))
            said.append(c.pick(f"it strikes {target}", f"it hits {target}", f"{target} is struck"))
            moved, count = c.details["moved"], c.details["count"]
            if count > 1 and moved:
                others = "the balls pass the push on" if _passed_on(c) else "more than one ball is set off"
                some = f"{en.number(moved)} of the {en.number(count)} balls {'is' if moved == 1 else 'are'}"
                said.append(
                    c.pick(
                        f"{'all the balls are' if moved == count else some} set in motion",
                        others if moved > 1 else "the others keep their places",
                    )
                )
            elif moved:
                said.append(c.pick(f"{target} rolls away", f"{target} starts rolling"))
        return [clause for clause in said if clause]

    def ending(self, c: Context) -> str:
        moved = c.details["moved"]
        return {
            "misses": c.pick("the shot misses", "no ball is hit", "nothing else on the table has moved"),
            "hits_one": c.pick("one ball was hit" if _touched(c) == 1 else "the shot is a hit", f"{en.the(c, _struck(c))} has left its place" if moved else "the struck ball has hardly moved", "it is a hit"),
            "hits_several": c.pick(f"the hit has set {en.number(moved)} balls moving", "the hit has moved more than one ball", "more than one ball has left its place"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _rack(c: Context) -> str:
        count = en.number(c.details["count"])
        return c.pick(
            f"a rack of {count} balls", f"a triangle of {count} balls", f"{count} balls set up in a triangle"
        )

    def _targets(self, c: Context) -> str:
        if c.details["rack"]:
            return self._rack(c)
        return en.listing(self._others(c))

    @staticmethod
    def _others(c: Context) -> list[str]:
        return [en.a(c, ball, 0.2) for ball in _balls(c)]


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        table, cue = c.pick("台球桌上,", "绿色球台上,", "绿色台球桌上,"), self._cue(c)
        targets = self._targets(c)
        if c.facts.outcome == "misses":
            return table + c.pick(
                f"{cue}没有打中{targets}", f"{cue}从{targets}旁边滚过", f"{cue}滚过桌面,没碰到旁边的球"
            )
        first = c.pick("先碰库边,再", "从库边弹回后") if c.details["cushion_first"] and c.chance(0.6) else ""
        hits = c.pick("撞上", "击中", "碰到", "打中")
        if c.details["rack"]:
            tail = c.pick(",把它们撞散", ",球散开了", ",开球") if c.details["moved"] > 1 else ""
            return f"{table}{cue}{hits}{self._rack(c)}{tail}"
        if c.details["line"] and c.chance(0.7):
            return f"{table}{cue}{hits}排成一行的{zh.number(c.details['count'])}个球"
        target = zh.a(c, _struck(c), 0.2)
        if c.facts.outcome == "hits_several":
            return f"{table}{cue}{first}{hits}{target},{zh.number(c.details['moved'])}个球动了起来"
        tail = c.pick("", ",把它撞开", ",让它滚走") if c.details["moved"] else ""
        return f"{table}{cue}{first}{hits}{target}{tail}"

    def opening(self, c: Context) -> str:
        cue, wood = self._cue(c), zh.COLOURS[c.things["cushions"].paint.colour]
        targets = self._targets(c)
        everything = f"{cue}{'和' if c.details['rack'] or c.details['count'] == 1 else '、'}{targets}"
        return c.pick(
            f"一张{wood}木边的绿色台球桌上有{everything}",
            f"{cue}在绿色台球桌上滚向{targets}",
            f"{everything}在一张绿色的球台上,台边是{wood}的",
        )

    def scene(self, c: Context, material: float) -> str:
        table = c.pick("台球桌", "球台")
        balls = zh.listing([self._cue(c), *(zh.a(c, ball, 0.3 * material) for ball in _balls(c))])
        if c.details["count"] > 3:
            balls = f"{self._cue(c)}和另外{zh.number(c.details['count'])}个球"
        return c.pick(f"绿色{table}上的{balls}", f"一张绿色{table},上面是{balls}")

    def story(self, c: Context) -> list[str]:
        cue = c.pick("母球", zh.the(c, c.main))
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        said = [c.pick(f"{cue}向{side}滚去", f"{cue}被击向{side}边")]
        if c.details["cushion_first"]:
            said.append(c.pick("它先碰到库边", "它先从库边反弹"))
        if c.facts.outcome == "misses":
            said.append(
                c.pick(
                    "它没有碰到别的球",
                    f"它从{'其他球' if c.details['count'] > 1 else zh.the(c, _balls(c)[0])}旁边过去",
                )
            )
            if c.details["cushions"]:
                said.append(c.pick("它在库边弹了回来", "它碰到库边反弹"))
        else:
            target = zh.the(c, _struck(c))
            said.append(c.pick(f"它撞上{target}", f"它击中{target}", f"{target}被撞到"))
            moved, count = c.details["moved"], c.details["count"]
            if count > 1 and moved:
                others = "球与球接连相撞" if _passed_on(c) else "不止一个球动了起来"
                some = f"{zh.number(count)}个球里有{zh.number(moved)}个动了"
                said.append(
                    c.pick(
                        "球都动了" if moved == count else some,
                        others if moved > 1 else "其余的球没有动",
                    )
                )
            elif moved:
                said.append(c.pick(f"{target}滚开了", f"{target}被撞得滚了出去"))
        return [clause for clause in said if clause]

    def ending(self, c: Context) -> str:
        moved = c.details["moved"]
        return {
            "misses": c.pick(
                "这一击落空了",
                "没有打到任何球",
                "其他球都没有动" if c.details["count"] > 1 else "另一个球没有动",
            ),
            "hits_one": c.pick(
                "打中了一个球" if _touched(c) == 1 else "母球打中了",
                f"{zh.the(c, _struck(c))}离开了原位" if moved else "被碰的球几乎没动",
                "这一击打中了",
            ),
            "hits_several": c.pick(
                f"{zh.number(moved)}个球被撞动了", "不止一个球被撞动了", "不止一个球离开了原位"
            ),
        }[c.facts.outcome]

    @staticmethod
    def _cue(c: Context) -> str:
        return f"一个{zh.COLOURS[c.main.paint.colour]}{c.pick('', '的')}{c.pick('母球', '主球')}"

    @staticmethod
    def _rack(c: Context) -> str:
        count = zh.number(c.details["count"])
        return c.pick(f"摆成三角形的{count}个球", f"一堆{count}个球", f"三角形球堆里的{count}个球")

    def _targets(self, c: Context) -> str:
        return self._rack(c) if c.details["rack"] else zh.listing([zh.a(c, ball, 0.2) for ball in _balls(c)])
