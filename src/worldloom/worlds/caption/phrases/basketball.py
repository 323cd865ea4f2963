"""Wordings of the basketball family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook


class English(Phrasebook):
    def line(self, c: Context) -> str:
        ball, hoop, does = self._ball(c, 0.4), self._hoop(c), self._does(c)
        # Where the hoop has been named already it is "it", and a second "and" is a comma.
        so = does.replace("the hoop", "it").replace("the basket", "it")
        then = f", {so}" if " and " in so else f" and {so}"
        return c.pick(
            f"{ball} {does}",
            f"{ball} is thrown at {hoop}{then}",
            f"{ball} flies at {hoop}{then}",
            f"a shot with {ball}: it {does}",
            f"{ball} is shot at {hoop}{then}",
            f"{ball} thrown to the {c.details['direction']} {does}",
        )

    def opening(self, c: Context) -> str:
        hoop, board = c.things["hoop"], c.things["backboard"]
        stand = f"{en.article(hoop.paint.colour)} rim and {en.a(c, board, 0.6)}"
        ball = self._ball(c, 0.8)
        return c.pick(
            f"{ball} flies towards a basketball hoop with {stand}",
            f"{ball} is in the air, thrown at a hoop with {stand}, standing",
            f"{ball} is shot at a basketball hoop with {stand} to the {c.details['direction']}",
        )

    def scene(self, c: Context, material: float) -> str:
        stand = (
            f"{en.article(c.things['hoop'].paint.colour)} rim and {en.a(c, c.things['backboard'], material)}"
        )
        ball = self._ball(c, material)
        return c.pick(
            f"{ball} and a basketball hoop with {stand}",
            f"{ball} near a hoop with {stand}",
            f"a basketball hoop with {stand}, and {ball}",
        )

    def story(self, c: Context) -> list[str]:
        ball = self._the(c)
        said = [
            c.pick(f"{ball} rises in an arc", f"{ball} curves through the air", "the throw goes up in an arc")
        ]
        rims, boards = c.details["rim_hits"], c.details["board_hits"]
        scored = c.details["scored"]
        first = [event.key for event in c.facts.events if event.key in ("hit_rim", "hit_board")]
        rim = (
            c.pick(f"it strikes the rim {en.times(rims)}", f"it touches the rim {en.times(rims)}")
            if rims
            else ""
        )
        board = c.pick("it bounces off the backboard", "it hits the board and comes back") if boards else ""
        hits = [rim, board] if first[:1] == ["hit_rim"] else [board, rim]
        said += hits
        if scored:
            said.append(
                c.pick(
                    "then it falls through the net",
                    "it drops through the hoop",
                    "down through the ring it goes",
                )
            )
        elif not rims and not boards:
            verb = "flies" if c.details.get("undecided") else "comes down"
            said.append(
                c.pick("it touches neither rim nor board", f"it {verb} without touching rim or board")
            )
        if c.seen("land"):
            said.append(
                c.pick(
                    f"{ball} lands on the ground",
                    f"afterwards {ball} hits the floor",
                    "it bounces on the floor below"
                    if c.details["floor_bounces"]
                    else "it reaches the floor below",
                )
            )
        return [clause for clause in said if clause]

    def ending(self, c: Context) -> str:
        ball = self._the(c)
        if c.details.get("undecided"):
            return c.pick(
                f"{ball} is still above the rim at the end",
                "at the end it has neither gone in nor come down",
                "the end leaves open whether it goes in",
            )
        return {
            "swish": c.pick("nothing but net", f"a clean basket: {ball} never touches the rim", "the shot is good, without touching rim or board"),
            "bank": c.pick("the bank shot is good", f"{ball} scores off the backboard", "it goes in off the board"),
            "rim_in": c.pick("it goes in off the rim", f"{ball} drops in after touching the rim", "the shot scores with help from the rim"),
            "rim_out": c.pick("the shot rims out", f"{ball} bounces away from the rim, no basket", "it does not go in"),
            "miss": c.pick("the shot misses", f"{ball} does not go in", "no basket this time"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _does(c: Context) -> str:
        if c.details.get("undecided"):
            return c.pick(
                "is still above the hoop at the end",
                "has not come down from the hoop yet",
                "flies above the hoop" if c.details["airball"] else "bounces above the hoop",
            )
        if c.facts.outcome == "miss" and c.details["board_hits"]:
            return c.pick(
                "bounces off the backboard and misses",
                "hits only the backboard",
                "hits the board but not the hoop",
            )
        return {
            "swish": c.pick("swishes through the hoop", "drops straight through the hoop", "goes in without touching the rim", "falls cleanly through the net", "scores cleanly"),
            "bank": c.pick("bounces off the backboard into the hoop", "banks in off the board", "hits the backboard and drops through the hoop", "goes in off the backboard"),
            "rim_in": c.pick("hits the rim and drops in", "touches the rim and falls through the hoop", "goes in off the rim", "bounces on the rim and goes in"),
            "rim_out": c.pick("hits the rim and bounces out", "bounces off the rim", "strikes the rim and does not go in", "clanks off the rim"),
            "miss": c.pick("misses the hoop", "hits neither rim nor board", "misses the basket", "touches neither rim nor board"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _ball(c: Context, material: float) -> str:
        if c.chance(0.4):
            return en.article(f"{c.main.paint.colour} basketball")
        return en.a(c, c.main, material)

    @staticmethod
    def _the(c: Context) -> str:
        return c.pick("the ball", en.the(c, c.main), f"the {c.main.paint.colour} basketball")

    @staticmethod
    def _hoop(c: Context) -> str:
        hoop, board = c.things["hoop"], c.things["backboard"]
        return c.pick(
            "a hoop", "a basketball hoop", "the basket", f"a hoop with {en.article(board.paint.colour)} backboard",
            f"{en.article(hoop.paint.colour)} hoop", f"{en.article(hoop.paint.colour)} rim",
        )  # fmt: skip


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        ball, does = self._ball(c, 0.4), self._does(c)
        hoop = c.pick("篮筐", "篮球架", f"{zh.COLOURS[c.things['hoop'].paint.colour]}的篮筐")
        return c.pick(
            f"{ball}{does}",
            f"{ball}被投向{hoop},{does}",
            f"{ball}飞向{hoop},{does}",
            f"投篮:{ball}{does}",
            f"{ball}投向{hoop},{does}",
            f"{ball}向{self._side(c)}飞去,{does}",
        )

    def opening(self, c: Context) -> str:
        rim, board = zh.COLOURS[c.things["hoop"].paint.colour], zh.bare(c, c.things["backboard"], 0.6)
        ball = self._ball(c, 0.8)
        return c.pick(
            f"{ball}飞向一个篮球架,篮圈是{rim}的,后面是{board}",
            f"{self._side(c)}边立着一个带{board}和{rim}篮圈的篮球架,{ball}正被投过去",
            f"{ball}在空中飞向{rim}的篮圈,篮圈装在{board}上",
        )

    def scene(self, c: Context, material: float) -> str:
        rim, board = zh.COLOURS[c.things["hoop"].paint.colour], zh.bare(c, c.things["backboard"], material)
        ball = self._ball(c, material)
        return c.pick(
            f"{ball}和一个带{board}、{rim}篮圈的篮球架", f"一个带{board}和{rim}篮圈的篮球架,还有{ball}"
        )

    def story(self, c: Context) -> list[str]:
        ball = c.pick("球", zh.the(c, c.main), "篮球")
        said = [c.pick(f"{ball}划出一道弧线", f"{ball}沿弧线飞行", f"{ball}先升高再下落")]
        rims, boards = c.details["rim_hits"], c.details["board_hits"]
        first = [event.key for event in c.facts.events if event.key in ("hit_rim", "hit_board")]
        n = zh.number(rims)
        rim = c.pick(f"它碰了篮圈{n}次", f"它在篮圈上弹了{n}下") if rims else ""
        board = c.pick("它打在篮板上弹了回来", "它撞上篮板") if boards else ""
        said += [rim, board] if first[:1] == ["hit_rim"] else [board, rim]
        if c.details["scored"]:
            said.append(c.pick("然后穿过篮网落下", "接着从篮筐里掉下来", "最后落进篮筐"))
        elif not rims and not boards:
            down = "" if c.details.get("undecided") else "就落了下来"
            said.append(c.pick("它既没碰到篮圈也没碰到篮板", f"它没碰到篮圈和篮板{down}"))
        if c.seen("land"):
            last = "球在下面的地上弹起" if c.details["floor_bounces"] else "球落到了下面的地上"
            said.append(c.pick(f"{ball}落到地上", "之后球砸在地面上", last))
        return [clause for clause in said if clause]

    def ending(self, c: Context) -> str:
        if c.details.get("undecided"):
            return c.pick("最后球还在篮筐上方", "到最后球还没有落下来", "进没进还看不出来")
        count = zh.number(c.details["rim_hits"])
        off = "擦着篮圈进球" if c.details["rim_hits"] == 1 else "球从篮圈上弹进去了"
        return {
            "swish": c.pick("空心入网", "球干净利落地进了", "没有碰到篮圈和篮板,球进了"),
            "bank": c.pick("打板命中", "球借助篮板进了", "这是一个漂亮的打板球"),
            "rim_in": c.pick("球碰到篮圈后进了", f"球在篮圈上弹了{count}下后进筐", off),
            "rim_out": c.pick("球被篮圈弹了出来,没进", "球没有进", "打铁不中"),
            "miss": c.pick("没有投中", "球没进", "这一球投偏了"),
        }[c.facts.outcome]

    @staticmethod
    def _does(c: Context) -> str:
        if c.details.get("undecided"):
            return c.pick(
                "最后还在篮筐上方", "还没有落下来", f"在篮筐上方{'飞过' if c.details['airball'] else '弹起'}"
            )
        if c.facts.outcome == "miss" and c.details["board_hits"]:
            return c.pick("打在篮板上没有进", "只碰到了篮板", "砸中篮板后弹开")
        count = zh.number(c.details["rim_hits"])
        off = "擦着篮圈进筐" if c.details["rim_hits"] == 1 else "从篮圈上弹进篮筐"
        return {
            "swish": c.pick("空心入网", "直接穿过篮筐", "没碰篮圈就进了", "干净地落进篮网", "应声入网"),
            "bank": c.pick("打板进筐", "碰到篮板后落入篮筐", "从篮板弹进篮筐", "擦板入筐"),
            "rim_in": c.pick("碰到篮圈后落进去", "砸在篮圈上弹进篮筐", off, f"在篮圈上弹了{count}下后进了"),
            "rim_out": c.pick("砸在篮圈上弹开", "碰到篮圈没有进", "打在篮圈上被弹了出来", "打铁了"),
            "miss": c.pick("没碰到篮筐", "没有投进", "投偏了", "是个三不沾"),
        }[c.facts.outcome]

    @staticmethod
    def _ball(c: Context, material: float) -> str:
        if c.chance(0.4):
            return f"一个{zh.COLOURS[c.main.paint.colour]}{c.pick('', '的')}篮球"
        return zh.a(c, c.main, material)

    @staticmethod
    def _side(c: Context) -> str:
        return {"left": "左", "right": "右"}[c.details["direction"]]
