"""Wordings of the pour family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook

ZH_SIDE = {"right": "右", "left": "左"}


def _share(c: Context) -> str:
    """How much of the cup was spilled: "few", "third", "half" or "most"."""
    share = c.details["spilled"] / c.details["grains"]
    return "few" if share < 0.25 else "third" if share < 0.42 else "half" if share < 0.6 else "most"


class English(Phrasebook):
    def line(self, c: Context) -> str:
        cup, beads, side = en.a(c, c.main, 0.4), self._beads(c), c.details["direction"]
        full = c.pick(f"{cup} full of {beads}", f"{cup} of {beads}", f"{cup} filled with {beads}")
        return {
            "stays_full": c.pick(
                f"{full} sways but nothing spills", f"{full} tips a little and spills nothing", f"{full} leans to the {side} and back without spilling", f"{full} is rocked gently and stays full"
            ),
            "some_spill": c.pick(
                f"{full} tilts and spills some", f"{full} is tipped to the {side} and some fall out", f"{full} tilts to the {side} and spills a part of them", f"some {beads} spill from {cup}"
            ),
            "all_spill": c.pick(
                f"{full} is turned upside down", f"{full} is upturned and spills everything", f"{full} tips over and empties", f"{cup} pours out all its {beads}", f"{full} turns over and everything falls out"
            ),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        cup, beads = en.a(c, c.main, 0.8), self._beads(c)
        count = c.pick("more than twenty", "a couple of dozen", "many", "lots of")
        return c.pick(
            f"{cup} holding {count} {beads} hangs on a stand",
            f"{cup} filled with {beads} is mounted on a stand",
            f"{count} {beads} are in {cup} above the ground",
        )

    def scene(self, c: Context, material: float) -> str:
        cup, beads = en.a(c, c.main, material), self._beads(c)
        return c.pick(f"{cup} on a stand, with {beads}", f"{cup} and {beads}", f"{cup} with {beads}")

    def story(self, c: Context) -> list[str]:
        side, beads = c.details["direction"], c.pick("beads", "balls")
        kind = c.details["kind"]
        said = [{
            "upright": c.pick(f"the cup leans gently to the {side}", f"the cup sways to the {side} and back"),
            "tilted": c.pick(f"the cup tilts to the {side}", f"the cup tips far to the {side}"),
            "upturned": c.pick(f"the cup turns over to the {side}", f"the cup rotates {side} until it is upside down"),
        }[kind]]  # fmt: skip
        if c.has("spill"):
            said.append(
                c.pick(
                    f"the {beads} start to roll out",
                    f"the first {beads} slip over the rim",
                    f"{beads} tumble out of it",
                )
            )
        if c.has("land"):
            said.append(
                c.pick(
                    "they drop to the ground and scatter",
                    "they fall and roll apart",
                    "they hit the ground below",
                )
            )
        if c.details.get("righted"):
            said.append("the cup comes upright again")
        return said

    def ending(self, c: Context) -> str:
        few = {
            "few": "a few of the beads",
            "third": "about a third of the beads",
            "half": "about half of the beads",
            "most": "most of the beads",
        }[_share(c)]
        return {
            "stays_full": c.pick("all the beads stay inside", "the cup is as full as before", "not a single bead is lost"),
            "some_spill": c.pick(f"{few} have been spilled", f"{few} have fallen out and the rest stay in the cup", f"the cup has lost {few}"),
            "all_spill": c.pick("the cup is empty", "not a bead is left in the cup", "everything has been spilled"),
        }[c.facts.outcome]  # fmt: skip

    def _beads(self, c: Context) -> str:
        colour = c.cast[1].paint.colour
        return c.pick(f"{colour} beads", f"little {colour} balls")


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        cup, beads, side = zh.bare(c, c.main, 0.4), self._beads(c), ZH_SIDE[c.details["direction"]]
        full = c.pick(f"装满{beads}的{cup}", f"一个装着{beads}的{cup}", f"一个盛着{beads}的{cup}")
        return {
            "stays_full": c.pick(f"{full}晃了晃,什么也没洒", f"{full}微微倾斜,没有洒出来", f"{full}向{side}歪了一下又回正", f"{full}轻轻摇了一下,还是满的"),
            "some_spill": c.pick(f"{full}倾斜,洒出一些", f"{full}向{side}倒,掉出一部分", f"{full}歪向{side}边,洒了一部分", f"一些{beads}从{cup}里洒出来"),
            "all_spill": c.pick(f"{full}被翻过来", f"{full}倒扣过来,全洒了", f"{full}翻倒,里面全倒空了", f"{cup}把{beads}全部倒出来", f"{full}翻转过来,东西都掉了出来"),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        cup, beads = zh.a(c, c.main, 0.8), self._beads(c)
        return c.pick(
            f"{cup}架在支架上,里面装着许多{beads}",
            f"{cup}里盛着二十多颗{beads}",
            f"支架上的{zh.bare(c, c.main, 0.8)}装满了{beads}",
        )

    def scene(self, c: Context, material: float) -> str:
        cup, beads = zh.a(c, c.main, material), self._beads(c)
        return c.pick(f"支架上的{zh.bare(c, c.main, material)}和许多{beads}", f"{cup}和一些{beads}")

    def story(self, c: Context) -> list[str]:
        side, beads = ZH_SIDE[c.details["direction"]], c.pick("珠子", "小球")
        said = [{
            "upright": c.pick(f"杯子轻轻向{side}倾", f"杯子向{side}晃一下又回来"),
            "tilted": c.pick(f"杯子向{side}倾倒", f"杯子大幅向{side}歪"),
            "upturned": c.pick(f"杯子向{side}翻转", f"杯子往{side}转,直到杯口朝下"),
        }[c.details["kind"]]]  # fmt: skip
        if c.has("spill"):
            said.append(c.pick(f"{beads}开始滚出来", f"最上面的{beads}越过杯沿", f"{beads}纷纷掉出"))
        if c.has("land"):
            said.append(c.pick("它们落到地上散开", "它们掉下去,四处滚动", "它们落在下面的地上"))
        if c.details.get("righted"):
            said.append("杯子随后回正")
        return said

    def ending(self, c: Context) -> str:
        few = {
            "few": "几颗珠子",
            "third": "大约三分之一的珠子",
            "half": "大约一半的珠子",
            "most": "大部分珠子",
        }[_share(c)]
        return {
            "stays_full": c.pick("珠子都还在杯子里", "杯子和原来一样满", "一颗珠子也没有掉"),
            "some_spill": c.pick(f"{few}洒了出来", f"{few}掉了出来,其余的留在杯里", f"杯子里少了{few}"),
            "all_spill": c.pick("杯子空了", "杯子里一颗珠子也不剩", "珠子全都洒光了"),
        }[c.facts.outcome]

    def _beads(self, c: Context) -> str:
        return f"{zh.COLOURS[c.cast[1].paint.colour]}{c.pick('珠子', '小珠子', '小球')}"
