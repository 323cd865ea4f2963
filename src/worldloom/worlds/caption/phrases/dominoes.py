"""Wordings of the dominoes family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook


def _wave(c: Context) -> bool:
    """Whether one can see the dominoes fall one after the other: in the row's order, a frame each on average."""
    fell = {event.who: event.frame for event in c.events("fall")}
    frames = [fell[name] for name in c.facts.cast if name in fell]
    spread = len(set(frames)) >= 3 and frames[-1] - frames[0] >= len(frames)
    return spread and frames == sorted(frames)


class English(Phrasebook):
    def line(self, c: Context) -> str:
        ball, row = en.a(c, c.main, 0.35), self._row(c, 0.4)
        rolls = c.pick("rolls into", "bumps into", "pushes", "rolls up to and hits", "runs into")
        return f"{ball} {rolls} {row}{self._result(c)}"

    def opening(self, c: Context) -> str:
        ball, row = en.a(c, c.main, 0.8), self._row(c, 0.8)
        return c.pick(
            f"{row} stands on edge while {ball} rolls towards it",
            f"{ball} rolls to the {c.details['direction']} towards {row}",
            f"{row} is set up and {ball} comes rolling",
        )

    def scene(self, c: Context, material: float) -> str:
        ball, row = en.a(c, c.main, material), self._row(c, material)
        return c.pick(f"{ball} and {row}", f"{ball} next to {row}", f"{row} and {ball}")

    def story(self, c: Context) -> list[str]:
        ball = en.the(c, c.main)
        fallen, standing = c.details["fallen"], c.details["standing"]
        said = []
        if c.has("push"):
            said.append(
                c.pick(
                    f"{ball} pushes the first domino",
                    f"{ball} knocks against the first one",
                    f"the first domino is hit by {ball}",
                )
            )
        if fallen:
            side = c.details["direction"]
            wave = (f"they fall one after another to the {side}", "a wave of falling dominoes runs along the row")  # fmt: skip
            said.append(
                c.pick(
                    "one domino knocks over the next", *(wave if _wave(c) else (f"they fall to the {side}",))
                )
            )
        if fallen and standing:
            said.append(
                c.pick(
                    f"after {en.number(fallen)} dominoes the gap is too wide",
                    f"the chain breaks at a gap with {en.number(standing)} left",
                )
            )
        if not fallen:
            said.append(
                c.pick(
                    "the push is too weak", "the first domino does not tip", f"{ball} is too light to tip it"
                )
            )
        return said

    def ending(self, c: Context) -> str:
        fallen, standing = c.details["fallen"], c.details["standing"]
        left = f"{en.number(standing)} {'domino' if standing == 1 else 'dominoes'}"
        return {
            "all_fall": c.pick(f"all {en.number(fallen)} have fallen", "the whole row is down", "not one domino is left standing"),
            "gap_stops": c.pick(f"{left} beyond the gap {'stays' if standing == 1 else 'stay'} up", f"{left} {'is' if standing == 1 else 'are'} still standing", "the far end of the row stands untouched"),
            "first_holds": c.pick("no domino falls", "the row stays standing", "everything stays upright"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _result(c: Context) -> str:
        standing = c.details["standing"]
        wave = (" and they fall one by one",) if _wave(c) else ()
        return {
            "all_fall": c.pick(" and all of them fall", " and they all topple", " and the whole row goes down", ", knocking all of them over", *wave),
            "gap_stops": c.pick(" but a gap stops the chain", f" but a gap leaves {en.number(standing)} standing", " and only the ones before the gap fall", " but the fall ends at a gap"),
            "first_holds": c.pick(" but none falls", " but too gently to tip any", " without knocking any over", " but they stay up"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _row(c: Context, counted: float) -> str:
        colours = c.details["colours"]
        colour = en.listing(list(colours)) if len(colours) < 3 or c.chance(0.4) else "colourful"
        number = f"{en.number(c.details['count'])} " if c.chance(counted) else ""
        shape = (
            c.pick("curved row", "bent line")
            if c.details["curved"] and c.chance(0.6)
            else c.pick("row", "line")
        )
        return f"a {shape} of {number}{colour} dominoes"


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        ball, row = zh.a(c, c.main, 0.35), self._row(c, 0.4)
        standing = zh.number(c.details["standing"])
        wave = ("骨牌一个接一个倒了", "它们依次倒下") if _wave(c) else ()
        result = {
            "all_fall": c.pick(
                "全部倒下",
                "整排都倒了",
                "没有一张还立着",
                *wave,
            ),
            "gap_stops": c.pick(
                "倒到空隙处就停了",
                f"空隙后面的{standing}张没有倒",
                "只有空隙前面的倒了",
                f"最后还剩{standing}张立着",
            ),
            "first_holds": c.pick("一张也没倒", "力气太小,骨牌没倒", "骨牌都还立着", "连第一张都没推倒"),
        }[c.facts.outcome]
        return f"{ball}{c.pick('滚向', '撞上', '撞到', '滚过来碰到', '碰上')}{row},{result}"

    def opening(self, c: Context) -> str:
        ball, row = zh.a(c, c.main, 0.8), self._row(c, 0.8)
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        return c.pick(
            f"{row}立着,{ball}正滚过来", f"{ball}向{side}朝{row}滚去", f"{row}已经摆好,{ball}朝它滚去"
        )

    def scene(self, c: Context, material: float) -> str:
        ball, row = zh.a(c, c.main, material), self._row(c, material)
        return c.pick(f"{ball}和{row}", f"{row}和{ball}")

    def story(self, c: Context) -> list[str]:
        ball = zh.the(c, c.main)
        fallen, standing = c.details["fallen"], c.details["standing"]
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        said = []
        if c.has("push"):
            said.append(c.pick(f"{ball}碰到第一张骨牌", f"{ball}推了第一张骨牌", f"第一张骨牌被{ball}撞到"))
        if fallen:
            wave = (f"它们接连向{side}倒下", "倒下的骨牌像波浪一样传下去")
            said.append(c.pick("一张推倒下一张", *(wave if _wave(c) else (f"它们向{side}倒下",))))
        if fallen and standing:
            said.append(
                c.pick(
                    f"倒了{zh.number(fallen)}张之后,空隙太宽", f"连锁在空隙处中断,还剩{zh.number(standing)}张"
                )
            )
        if not fallen:
            said.append(c.pick("推力太小", "第一张骨牌没有倒", f"{ball}被骨牌挡住了"))
        return said

    def ending(self, c: Context) -> str:
        fallen, standing = zh.number(c.details["fallen"]), zh.number(c.details["standing"])
        return {
            "all_fall": c.pick(f"{fallen}张骨牌全倒了", "整排骨牌都倒了", "最后骨牌全都倒下了"),
            "gap_stops": c.pick(
                f"空隙那边的{standing}张还立着", f"还有{standing}张没倒", "另一头的骨牌没有动"
            ),
            "first_holds": c.pick("没有骨牌倒下", "骨牌依然立着", "所有骨牌都没倒"),
        }[c.facts.outcome]

    @staticmethod
    def _row(c: Context, counted: float) -> str:
        colours = c.details["colours"]
        colour = (
            zh.listing([zh.COLOURS[name] for name in colours])
            if len(colours) < 3 or c.chance(0.4)
            else "彩色"
        )
        shape = c.pick("弯弯的一排", "排成弧线的") if c.details["curved"] and c.chance(0.6) else "一排"
        number = f"{zh.number(c.details['count'])}张" if c.chance(counted) else ""
        return f"{shape}{number}{colour}{c.pick('', '的')}{c.pick('多米诺骨牌', '骨牌')}"
