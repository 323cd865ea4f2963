"""Wordings of the pillow family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook

PATTERNS = ("striped", "dotted")
ZH_SIDE = {"right": "右", "left": "左", None: ""}


class English(Phrasebook):
    def line(self, c: Context) -> str:
        who, pillow = self._weight(c, 0.4), self._pillow(c, 0.6)
        side = c.details["direction"]
        return {
            "stays": c.pick(
                f"{who} sinks into {pillow}", f"{who} falls onto {pillow} and stays there", f"{who} lands on {pillow} and dents it", f"{pillow} is dented by {who}", f"{who} settles into {pillow}"
            ),
            "rolls_off": c.pick(
                f"{who} rolls across {pillow} and off", f"{who} rolls off {pillow}", f"{who} rolls over {pillow} to the {side}", f"{who} drops onto {pillow} and rolls off to the {side}"
            ),
            "lifted_off": c.pick(
                f"{who} sinks into {pillow} and is lifted off", f"{who} on a rope dents {pillow} and is pulled up again", f"{who} drops onto {pillow} and is raised again", f"{who} presses into {pillow}, and then a rope lifts it"
            ),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        who, pillow = self._weight(c, 0.8), self._pillow(c, 0.9)
        rope = c.pick(" on a rope", " hanging from a rope") if c.details["rope"] else ""
        return c.pick(
            f"{who}{rope} is above {pillow} lying",
            f"with {who}{rope} in mid-air above it, {pillow} lies",
            f"{who}{rope} comes down on {pillow}",
        )

    def scene(self, c: Context, material: float) -> str:
        who, pillow = en.a(c, c.main, material), self._pillow(c, material)
        rope = c.pick(" on a rope", "") if c.details["rope"] else ""
        return c.pick(f"{who}{rope} and {pillow}", f"{pillow} and {who}{rope}")

    def story(self, c: Context) -> list[str]:
        who, said = en.the(c, c.main), []
        deep = c.pick("deep ", "clear ") if c.details["deep"] else c.pick("shallow ", "")
        if c.has("land"):
            said.append(
                c.pick(
                    f"{who} touches down on the soft pillow",
                    f"{who} drops onto the pillow",
                    f"{who} meets the pillow",
                )
            )
        if c.has("sink"):
            said.append(
                c.pick(
                    f"it presses a {deep}hollow into it",
                    f"the pillow gives way and a {deep}dent forms",
                    f"its weight makes a {deep}dent",
                )
            )
        if c.facts.outcome == "rolls_off":
            said.append(
                c.pick(
                    f"{who} keeps rolling and the dent travels with it",
                    f"the hollow follows {who} as it rolls",
                )
            )
        elif c.facts.outcome == "lifted_off":
            said.append(c.pick("then the rope draws it up", f"the rope pulls {who} up again"))
        return said

    def ending(self, c: Context) -> str:
        who = en.the(c, c.main)
        return {
            "stays": c.pick(f"{who} rests in the hollow", f"{who} stays where it sank in", f"the pillow stays dented under {who}"),
            "rolls_off": c.pick(f"{who} leaves the pillow, which rises again", f"{who} rolls off the pillow's {c.details['direction']} side", "the pillow is free and plump again"),
            "lifted_off": c.pick(f"{who} hangs above the pillow", "the pillow rises back into shape", f"freed of {who}, the pillow fills out again"),
        }[c.facts.outcome]  # fmt: skip

    def _weight(self, c: Context, material: float) -> str:
        bare = en.bare(c, c.main, material)
        return en.article(f"heavy {bare}" if c.facts.outcome != "rolls_off" and c.chance(0.4) else bare)

    def _pillow(self, c: Context, material: float) -> str:
        pillow = c.things["pillow"]
        bare = en.bare(c, pillow, material if pillow.paint.material in PATTERNS else 0)
        return en.article(f"soft {bare}" if c.chance(0.25) else bare)


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        who, pillow, side = self._weight(c, 0.4), self._pillow(c, 0.6), ZH_SIDE[c.details["direction"]]
        return {
            "stays": c.pick(f"{who}陷进{pillow}里", f"{who}落到{pillow}上,停在那里", f"{who}掉在{pillow}上,压出一个坑", f"{pillow}被{who}压凹了", f"{who}陷入{pillow}"),
            "rolls_off": c.pick(f"{who}滚过{pillow},滚了下去", f"{who}从{pillow}上滚下来", f"{who}从{pillow}上向{side}滚过", f"{who}落到{pillow}上,向{side}滚下去"),
            "lifted_off": c.pick(f"{who}陷进{pillow},又被提起来", f"绳子吊着的{self._bare(c)}压凹{pillow},又被拉起", f"{who}落在{pillow}上,然后被吊起来", f"{who}压进{pillow},随后绳子把它拉起来"),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        who, pillow = self._weight(c, 0.8), self._pillow(c, 0.9)
        rope = c.pick("用绳子吊着,", "挂在绳子上,") if c.details["rope"] else ""
        return c.pick(
            f"{who}{rope}在{pillow}上方", f"{who}{rope}朝{pillow}落下", f"{who}{rope}下面是{pillow}"
        )

    def scene(self, c: Context, material: float) -> str:
        who, pillow = zh.a(c, c.main, material), self._pillow(c, material)
        return c.pick(f"{who}和{pillow}", f"{pillow}和{who}")

    def story(self, c: Context) -> list[str]:
        who, said = zh.the(c, c.main), []
        deep = c.pick("深深的", "明显的") if c.details["deep"] else c.pick("浅浅的", "")
        if c.has("land"):
            said.append(c.pick(f"{who}碰到柔软的枕头", f"{who}落在枕头上"))
        if c.has("sink"):
            said.append(
                c.pick(f"它压出一个{deep}凹坑", f"枕头陷下去,形成{deep}凹痕", f"枕头被压出一个{deep}窝")
            )
        if c.facts.outcome == "rolls_off":
            said.append(c.pick("它继续滚动,凹坑跟着它移动", f"凹痕随着{who}一路移动"))
        elif c.facts.outcome == "lifted_off":
            said.append(c.pick("接着绳子把它拉了上去", f"绳子把{who}重新提起"))
        return said

    def ending(self, c: Context) -> str:
        who, side = zh.the(c, c.main), ZH_SIDE[c.details["direction"]]
        return {
            "stays": c.pick(f"{who}停在凹坑里", f"{who}留在陷下去的地方", f"枕头一直被{who}压着"),
            "rolls_off": c.pick(
                f"{who}离开了枕头,枕头又鼓起来", f"{who}从枕头{side}边滚了下去", "枕头恢复了原来的样子"
            ),
            "lifted_off": c.pick(f"{who}悬在枕头上方", "枕头恢复原状", f"{who}离开后,枕头又鼓了起来"),
        }[c.facts.outcome]

    def _bare(self, c: Context) -> str:
        return zh.bare(c, c.main, 0.4)

    def _weight(self, c: Context, material: float) -> str:
        heavy = "沉重的" if c.facts.outcome != "rolls_off" and c.chance(0.4) else ""
        return f"一{zh.NOUNS[c.main.noun][0]}{heavy}{zh.bare(c, c.main, material)}"

    def _pillow(self, c: Context, material: float) -> str:
        pillow = c.things["pillow"]
        soft = "柔软的" if c.chance(0.25) else ""
        return f"一个{soft}{zh.bare(c, pillow, material if pillow.paint.material in PATTERNS else 0)}"
