"""Wordings of the occluder family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook

ACROSS = {"right": "left", "left": "right"}
ZH_SIDE = {"right": "右", "left": "左"}


class English(Phrasebook):
    def line(self, c: Context) -> str:
        who, screen = en.a(c, c.main), self._screen(c, 0.4)
        go, gone = self._go(c), "goes" if c.details["hole"] else "disappears"
        return {
            "comes_out": c.pick(
                f"{who} {go} behind {screen} and comes out on the other side",
                f"{who} {go} behind {screen} and reappears",
                f"{who} {gone} behind {screen} and comes out again on the {c.details['direction']}",
                f"{who} passes behind {screen}",
            ),
            "stops_behind": c.pick(
                f"{who} {go} behind {screen} and stops there",
                f"{who} {go} behind {screen} and does not come out",
                f"{who} goes behind {screen} and stays there",
                f"{who} stops behind {screen}",
            ),
            "comes_back": c.pick(
                f"{who} {go} behind {screen} and comes back",
                f"{who} goes behind {screen} and returns the way it came",
                f"{who} {gone} behind {screen} and comes out on the same side",
            ),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        who, side = en.a(c, c.main, 0.8), c.details["direction"]
        return c.pick(
            f"{who} {self._go(c)} to the {side} towards {self._screen(c, 0.8)}",
            f"{who} comes from the {ACROSS[side]} and heads for {self._screen(c, 0.8)}",
            f"{who} moving {side} nears {self._screen(c, 0.8)}",
        )

    def scene(self, c: Context, material: float) -> str:
        screen = self._screen(c, material)
        if c.has("hide") and not c.has("glimpse"):
            return screen
        who = en.a(c, c.main, material)
        return c.pick(f"{who} and {screen}", f"{screen} and {who}")

    def story(self, c: Context) -> list[str]:
        who, side, screen = en.the(c, c.main), c.details["direction"], self._the_screen(c)
        if c.details["hole"]:
            said = [f"{who} goes behind {screen}"]
        else:
            said = [
                c.pick(
                    f"{who} vanishes behind {screen}",
                    f"{who} goes out of sight behind {screen}",
                    f"{screen} hides {who}",
                )
            ]
        if c.has("glimpse") and c.facts.outcome == "stops_behind":
            said.append(c.pick(
                f"{who} shows in the opening and stays there",
                f"through the opening {who} can be seen coming to a stop",
                f"{who} comes to rest in the window",
            ))  # fmt: skip
        elif c.has("glimpse"):
            said.append(c.pick(
                f"through the opening {who} can be seen for a moment",
                f"{who} shows in the window",
                "it can be glimpsed through the hole",
            ))  # fmt: skip
        if c.facts.outcome == "comes_out":
            said.append(c.pick(f"then it comes into view again on the {side}", f"it comes out on the {side}"))
        elif c.facts.outcome == "comes_back":
            said.append(
                c.pick(
                    "something back there turns it round",
                    f"it meets something behind {screen} and turns back",
                )
            )
        return said

    def ending(self, c: Context) -> str:
        who, side, screen = en.the(c, c.main), c.details["direction"], self._the_screen(c)
        return {
            "comes_out": c.pick(
                f"{who} moves on to the {side}", f"in the end {who} is on the other side", f"{who} is back in view"
            ),
            "stops_behind": c.pick(
                f"{who} never comes out on the other side", f"{who} has stopped behind {screen}", f"nothing comes out and {who} stays behind {screen}"
            ),
            "comes_back": c.pick(
                f"{who} ends up on the side it came from", f"{who} goes back to the {ACROSS[side]}", f"{who} returns to where it came from"
            ),
        }[c.facts.outcome]  # fmt: skip

    def _go(self, c: Context) -> str:
        return (
            c.pick("rolls", "rolls", "moves")
            if c.details["motion"] == "roll"
            else c.pick("slides", "glides", "moves")
        )

    def _the_screen(self, c: Context) -> str:
        return f"the {en.noun(c, c.things['screen'])}"

    def _screen(self, c: Context, material: float) -> str:
        hole = c.pick(" with a hole in it", " with a window", " with an opening") if c.details["hole"] else ""
        return en.a(c, c.things["screen"], material) + (hole if c.chance(0.8) else "")


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        who, screen, go = zh.a(c, c.main), self._screen(c, 0.4), self._go(c)
        gone = "来到" if c.details["hole"] else "消失在"
        return {
            "comes_out": c.pick(
                f"{who}{go}到{screen}后面,又从另一边出来",
                f"{who}从{screen}后面经过,重新出现",
                f"{who}{gone}{screen}后面,随后从{ZH_SIDE[c.details['direction']]}边出来",
                f"{who}从{screen}后面穿过",
            ),
            "stops_behind": c.pick(
                f"{who}{go}到{screen}后面停住",
                f"{who}{go}到{screen}后面,没有出来",
                f"{who}停在{screen}后面",
                f"{who}躲到{screen}后面不再出来",
            ),
            "comes_back": c.pick(
                f"{who}{go}到{screen}后面,又退了回来",
                f"{who}来到{screen}后面,然后原路返回",
                f"{who}{gone}{screen}后面,又从同一边出来",
            ),
        }[c.facts.outcome]

    def opening(self, c: Context) -> str:
        who, side = zh.a(c, c.main, 0.8), ZH_SIDE[c.details["direction"]]
        return c.pick(
            f"{who}向{side}{self._go(c)},前面是{self._screen(c, 0.8)}",
            f"{who}朝着{self._screen(c, 0.8)}{self._go(c)}过去",
            f"{self._screen(c, 0.8)}立在那里,{who}向{side}靠近",
        )

    def scene(self, c: Context, material: float) -> str:
        screen = self._screen(c, material)
        if c.has("hide") and not c.has("glimpse"):
            return screen
        who = zh.a(c, c.main, material)
        return c.pick(f"{who}和{screen}", f"{screen}和{who}")

    def story(self, c: Context) -> list[str]:
        who, side = zh.the(c, c.main), ZH_SIDE[c.details["direction"]]
        screen = zh.noun(c, c.things["screen"])
        if c.details["hole"]:
            said = [f"{who}到了{screen}后面"]
        else:
            said = [c.pick(f"{who}被挡住看不见了", f"{who}消失在{screen}后面", f"{who}隐没在{screen}后面")]
        if c.has("glimpse") and c.facts.outcome == "stops_behind":
            said.append(c.pick(f"{who}出现在洞口,停在那里", f"透过洞口能看到{who}停了下来"))
        elif c.has("glimpse"):
            said.append(c.pick(f"透过洞口能看到{who}", f"{who}在窗口里露了一下", "从开口处可以瞥见它"))
        if c.facts.outcome == "comes_out":
            said.append(c.pick(f"接着它从{side}边露了出来", f"随后{who}又出现在{side}边"))
        elif c.facts.outcome == "comes_back":
            said.append(c.pick("它在后面碰到了什么,掉头回来", "后面有东西把它弹了回来"))
        return said

    def ending(self, c: Context) -> str:
        who, side = zh.the(c, c.main), ZH_SIDE[c.details["direction"]]
        back, screen = ZH_SIDE[ACROSS[c.details["direction"]]], zh.noun(c, c.things["screen"])
        return {
            "comes_out": c.pick(f"{who}继续向{side}前进", f"最后{who}到了另一边", f"{who}又回到视野里"),
            "stops_behind": c.pick(
                f"{who}一直没有从另一边出来", f"最后{who}停在{screen}后面", f"{who}留在{screen}后面"
            ),
            "comes_back": c.pick(f"{who}回到了原来的一边", f"最后{who}向{back}退了回去", f"{who}原路返回"),
        }[c.facts.outcome]

    def _go(self, c: Context) -> str:
        return c.pick("滚", "滚动", "移动") if c.details["motion"] == "roll" else c.pick("滑", "滑动", "移动")

    def _screen(self, c: Context, material: float) -> str:
        hole = c.pick("带洞的", "开了窗口的", "有开口的") if c.details["hole"] and c.chance(0.8) else ""
        screen = c.things["screen"]
        return f"一{zh.NOUNS['screen'][0]}{hole}{zh.bare(c, screen, material)}"
