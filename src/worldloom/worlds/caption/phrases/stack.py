"""Wordings of the stack family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook


def _in_order(c: Context, strike: str, fall: str, land: str) -> list[str]:
    """The clauses in order of time; the ball's landing is left out where it comes between the blocks' falls."""
    lands, falls = [event.frame for event in c.events("land")], [event.frame for event in c.events("fall")]
    if not lands or (falls and falls[0] <= lands[0] < falls[-1]):
        said = [strike, fall]
    elif falls and lands[0] < falls[0]:
        said = [strike, land, fall]
    else:
        said = [strike, fall, land]
    return [clause for clause in said if clause]


def _rebounds(c: Context) -> bool:
    return c.details.get("rebounds", True)


class English(Phrasebook):
    def line(self, c: Context) -> str:
        ball, pile = en.a(c, c.main, 0.35), self._pile(c, 0.3)
        if not c.has("strike"):
            return c.pick(f"{ball} flies past {pile}", f"{ball} misses {pile}")
        pile_is, hit = (
            c.pick("the blocks", f"the {c.details['kind']}"),
            c.pick("hits", "strikes", "slams into", "flies into"),
        )
        result = {
            "topples": c.pick(f"{pile_is} collapse" + ("s" if "blocks" not in pile_is else ""), "knocks it down", "it comes down", "topples it", "it falls apart"),
            "loses_some": self._some(c),
            "stands": c.pick(*["bounces off"] * _rebounds(c), "it stays standing", f"the {c.details['kind']} holds", "not one block falls", "nothing falls"),
        }[c.facts.outcome]  # fmt: skip
        joiner = " but" if c.facts.outcome == "stands" else " and"
        joiner = " and" if result.split()[0] in ("knocks", "topples", "bounces") else c.pick(joiner, ":")
        return f"{ball} {hit} {pile}{joiner} {result}"

    def opening(self, c: Context) -> str:
        ball, pile = en.a(c, c.main, 0.8), self._pile(c, 0.7)
        return c.pick(
            f"{pile} stands ready while {ball} flies at it",
            f"{ball} is thrown to the {c.details['direction']} at {pile}",
            f"{ball} flies towards {pile}",
        )

    def scene(self, c: Context, material: float) -> str:
        number = f"{en.number(c.details['count'])} " if c.chance(0.6) else ""
        blocks = f"{number}{en.listing(list(c.details['colours']))} blocks"
        return c.pick(
            f"{en.a(c, c.main, material)} and {blocks}", f"{blocks} and {en.a(c, c.main, material)}"
        )

    def story(self, c: Context) -> list[str]:
        ball, kind = en.the(c, c.main), c.details["kind"]
        if not c.has("strike"):
            return [c.pick(f"{ball} does not touch the {kind}", f"{ball} goes by without a hit")]
        strike = c.pick(
            f"{ball} hits the {kind}", f"{ball} strikes the blocks", f"the {kind} is struck by {ball}"
        )
        fallen, count = c.details["fallen"], c.details["count"]
        if fallen == count:
            fall = c.pick(
                f"all {en.number(count)} blocks tumble",
                "every block comes down",
                "not one block keeps its place",
            )
        elif fallen:
            fall = c.pick(
                f"{en.number(fallen)} of the {en.number(count)} blocks {'falls' if fallen == 1 else 'fall'}",
                f"{en.number(fallen)} {'block comes' if fallen == 1 else 'blocks come'} down",
            )
        else:
            fall = c.pick("the blocks stay up", "no block falls", *[f"{ball} bounces back"] * _rebounds(c))
        return _in_order(
            c, strike, fall, c.pick(f"{ball} drops to the ground", f"{ball} lands on the ground", "")
        )

    def ending(self, c: Context) -> str:
        kind = c.details["kind"]
        left = c.details["count"] - c.details["fallen"]
        if c.details.get("falling") and c.facts.outcome == "topples":
            falling = "a block is" if c.details["falling"] == 1 else "blocks are"
            return c.pick(
                f"the {kind} is coming down", f"the {kind} is collapsing", f"{falling} still falling"
            )
        return {
            "topples": c.pick(f"the {kind} is down", f"the {kind} has collapsed", self._heap(c)),
            "loses_some": c.pick(f"the rest of the {kind} stays up", f"{en.number(left)} blocks still stand", f"most of the {kind} is still standing"),
            "stands": c.pick(f"the {kind} still stands", f"in the end the {kind} is standing", f"the {kind} has held"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _heap(c: Context) -> str:
        count, lying = c.details["count"], c.details.get("lying", 0)
        if lying == count:
            return "the blocks lie on the ground"
        if 2 * lying > count:
            return "most blocks lie on the ground"
        littered = c.details.get("scattered")
        return "the ground is littered with blocks" if littered else f"the {c.details['kind']} has come down"

    @staticmethod
    def _some(c: Context) -> str:
        n = c.details["fallen"]
        blocks = f"{en.number(n)} {'block' if n == 1 else 'blocks'}"
        return c.pick(
            f"knocks off {blocks}",
            f"{blocks} {'falls' if n == 1 else 'fall'}",
            f"knocks {blocks} down while the rest stays up",
        )

    @staticmethod
    def _pile(c: Context, counted: float) -> str:
        kind, colours = c.details["kind"], c.details["colours"]
        colour = en.listing(list(colours)) if len(colours) < 3 or c.chance(0.6) else "colourful"
        number = f"{en.number(c.details['count'])} " if c.chance(counted) else ""
        return c.pick(f"a {kind} of {number}{colour} blocks", f"{en.article(colour)} {kind} of {number}blocks" if len(colours) == 1 else f"a {kind} of {number}{colour} blocks")  # fmt: skip


KINDS = {
    "tower": ("座", ("积木塔", "塔")),
    "wall": ("面", ("积木墙", "墙")),
    "pyramid": ("座", ("积木金字塔", "金字塔")),
}


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        ball, pile = zh.a(c, c.main, 0.35), self._pile(c, 0.3)
        if not c.has("strike"):
            return c.pick(f"{ball}从{pile}旁边飞过", f"{ball}没有打中{pile}")
        name = c.pick(*KINDS[c.details["kind"]][1])
        n = zh.number(c.details["fallen"])
        result = {
            "topples": c.pick("积木纷纷倒下", f"{name}垮塌下来", f"{name}开始倒塌")
            if c.details.get("falling")
            else c.pick(
                f"{name}塌了",
                "把它撞倒了",
                "积木散落一地" if c.details.get("scattered") else f"{name}垮了",
                f"{name}倒了下来",
                "积木纷纷倒下",
            ),
            "loses_some": c.pick(f"撞掉了{n}块积木", f"有{n}块积木掉了下来", f"掉了{n}块,其余的没倒"),
            "stands": c.pick(
                *["被弹开了"] * _rebounds(c), f"{name}没有倒", "一块积木也没掉", f"{name}稳稳地立着"
            ),
        }[c.facts.outcome]
        return f"{ball}{c.pick('撞上', '击中', '砸向', '飞过来撞到')}{pile},{result}"

    def opening(self, c: Context) -> str:
        ball, pile = zh.a(c, c.main, 0.8), self._pile(c, 0.7)
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        return c.pick(f"{pile}立在那里,{ball}正飞过来", f"{ball}向{side}飞向{pile}", f"{ball}朝{pile}飞去")

    def scene(self, c: Context, material: float) -> str:
        colours = zh.listing([zh.COLOURS[name] for name in c.details["colours"]])
        return f"{zh.a(c, c.main, material)}和{zh.number(c.details['count'])}块{colours}的积木"

    def story(self, c: Context) -> list[str]:
        ball, name = zh.the(c, c.main), c.pick(*KINDS[c.details["kind"]][1])
        if not c.has("strike"):
            return [c.pick(f"{ball}没有碰到{name}", f"{ball}擦身而过")]
        strike = c.pick(f"{ball}撞上{name}", f"{ball}打在积木上", f"{name}被{ball}击中")
        fallen, count = c.details["fallen"], c.details["count"]
        if fallen == count:
            fall = c.pick(f"{zh.number(count)}块积木全部倒下", "所有积木都垮了下来")
        elif fallen:
            fall = c.pick(
                f"{zh.number(count)}块积木里有{zh.number(fallen)}块掉下来", f"{zh.number(fallen)}块积木落下"
            )
        else:
            fall = c.pick("积木都没有倒", "没有积木掉落", *[f"{ball}被弹了回来"] * _rebounds(c))
        return _in_order(c, strike, fall, c.pick(f"{ball}掉到地上", f"{ball}落地", ""))

    def ending(self, c: Context) -> str:
        name = c.pick(*KINDS[c.details["kind"]][1])
        left = c.details["count"] - c.details["fallen"]
        if c.details.get("falling") and c.facts.outcome == "topples":
            return c.pick(f"{name}正在倒塌", f"{name}正在垮下来", "积木还在往下掉")
        return {
            "topples": c.pick(
                f"{name}已经倒了",
                f"{name}塌了",
                "地上散着积木" if c.details.get("scattered") else f"{name}垮了下来",
            ),
            "loses_some": c.pick(
                f"{name}的其余部分还立着", f"还有{zh.number(left)}块积木没倒", f"{name}大部分还在"
            ),
            "stands": c.pick(f"{name}依然立着", f"最后{name}没有倒", f"{name}挺住了"),
        }[c.facts.outcome]

    @staticmethod
    def _pile(c: Context, counted: float) -> str:
        measure, names = KINDS[c.details["kind"]]
        colours = c.details["colours"]
        colour = (
            zh.listing([zh.COLOURS[name] for name in colours])
            if len(colours) < 3 or c.chance(0.6)
            else "彩色"
        )
        if c.chance(counted):
            return f"一{measure}由{zh.number(c.details['count'])}块{colour}积木搭成的{names[1]}"
        link = "的" if len(colours) > 1 else c.pick("", "的")
        return f"一{measure}{colour}{link}{names[0]}"
