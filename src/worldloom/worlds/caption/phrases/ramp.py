"""Wordings of the ramp family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook


class English(Phrasebook):
    def line(self, c: Context) -> str:
        who, ramp, side = en.a(c, c.main, 0.45), self._ramp(c), c.details["direction"]
        if c.facts.outcome == "sticks":
            return c.pick(
                f"{who} stays put on {ramp}",
                f"{who} sticks on {ramp} and does not slide",
                f"{who} rests on {ramp} without sliding",
                f"{who} is set on {ramp} and does not move",
                f"friction holds {who} on {ramp}",
            )
        goes = c.pick("rolls", "rolls") if c.facts.outcome == "rolls_down" else c.pick("slides", "slips")
        tail = c.pick("", "", f" to the {side}")
        if c.details["hit_wall"] and c.chance(0.4):
            tail += c.pick(
                " and hits a wall",
                " into a wall",
                f" and bumps into {en.article(c.things['wall'].paint.colour)} wall",
            )
        elif c.details["reached_floor"] and c.chance(0.2):
            return f"{who} {goes} down {ramp} to the bottom"
        return c.pick(
            f"{who} {goes} down {ramp}{tail}",
            f"{who} {goes} off {ramp}{tail}"
            if c.details["reached_floor"]
            else f"{who} {goes} down {ramp}{tail}",
        )

    def opening(self, c: Context) -> str:
        who, ramp = en.a(c, c.main, 0.8), en.a(c, c.things["ramp"], 0.7)
        wall = en.article(f"{c.things['wall'].paint.colour} wall")
        side = c.details["direction"]
        return c.pick(
            f"{who} is let go near the top of {ramp}",
            f"{who} sits high on {ramp}, with {wall} at the far end,",
            f"{ramp} leads down to the {side} with {who} on it, facing {wall},",
        )

    def scene(self, c: Context, material: float) -> str:
        who, ramp = en.a(c, c.main, material), en.a(c, c.things["ramp"], material)
        wall = en.a(c, c.things["wall"], 0)
        return c.pick(f"{who}, {ramp} and {wall}", f"{ramp}, {who} and {wall}")

    def story(self, c: Context) -> list[str]:
        who = en.the(c, c.main)
        if c.facts.outcome == "sticks":
            return [
                c.pick(
                    f"{who} does not slide",
                    "friction holds it in place",
                    f"nothing happens and {who} keeps its place",
                )
            ]
        rolls = c.facts.outcome == "rolls_down"
        said = [
            c.pick(
                f"{who} {'rolls' if rolls else 'slides'} down, faster and faster",
                f"it picks up speed as it {'rolls' if rolls else 'slides'}",
                f"{who} starts {'rolling' if rolls else 'sliding'} downhill",
            )
        ]
        if c.details["reached_floor"]:
            said.append(
                c.pick(
                    "it reaches the ground",
                    f"{who} leaves the ramp and moves on along the ground",
                    "at the foot of the slope it runs out onto level ground",
                )
            )
        if c.details["hit_wall"]:
            said.append(
                c.pick(
                    f"it hits the {c.things['wall'].paint.colour} wall",
                    f"{who} bumps into the wall",
                    "it runs into the wall",
                )
            )
        return said

    def ending(self, c: Context) -> str:
        who = en.the(c, c.main)
        if c.facts.outcome == "sticks":
            return c.pick(
                f"{who} is still on the slope", f"{who} has not moved", "at the end it is where it was"
            )
        if c.details.get("rebounds"):
            goes = "rolls" if c.facts.outcome == "rolls_down" else "slides"
            return c.pick(
                f"{who} {goes} back from the wall",
                f"{who} bounces back",
                "it has reached the wall and come back from it",
            )
        if c.details["hit_wall"]:
            return c.pick(
                f"{who} ends up near the wall",
                "it has reached the wall",
                f"{who} has come all the way to the wall",
            )
        if c.details["reached_floor"]:
            return c.pick(
                f"{who} moves on across the ground", f"{who} is off the ramp", "it has left the slope behind"
            )
        return c.pick(f"{who} is still on its way down", "it has not reached the foot yet")

    @staticmethod
    def _ramp(c: Context) -> str:
        steep = c.pick("steep ", "") if c.details["steep"] else ""
        colour = f"{c.things['ramp'].paint.colour} " if c.chance(0.5) else ""
        return en.article(f"{steep}{colour}{c.pick('ramp', 'ramp', 'slope', 'incline')}")


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        who, ramp = zh.a(c, c.main, 0.45), self._ramp(c)
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        if c.facts.outcome == "sticks":
            return c.pick(
                f"{who}停在{ramp}上不动", f"{who}放在{ramp}上没有滑下来", f"{who}稳稳地待在{ramp}上",
                f"{who}靠摩擦力停在{ramp}上", f"{who}在{ramp}上一动不动",
            )  # fmt: skip
        goes = c.pick("滚下", "滚落") if c.facts.outcome == "rolls_down" else c.pick("滑下", "滑落")
        tail = ""
        if c.details["hit_wall"] and c.chance(0.4):
            tail = c.pick(",撞到墙上", ",碰到了墙", f",撞上{zh.COLOURS[c.things['wall'].paint.colour]}的墙")
        elif c.details["reached_floor"] and c.chance(0.2):
            tail = c.pick(",来到地面", ",到了地上继续前进")
        return c.pick(
            f"{who}从{ramp}上{goes}{tail}",
            f"{who}沿着{ramp}{goes}{tail}",
            f"{who}顺着{ramp}向{side}{goes}{tail}",
        )

    def opening(self, c: Context) -> str:
        who, ramp = zh.a(c, c.main, 0.8), zh.a(c, c.things["ramp"], 0.7)
        wall = f"{zh.COLOURS[c.things['wall'].paint.colour]}的墙"
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        return c.pick(
            f"{who}在{ramp}高处被松开",
            f"{ramp}向{side}倾斜,上面放着{who},前方有一面{wall}",
            f"{who}位于{ramp}上,远处是一面{wall}",
        )

    def scene(self, c: Context, material: float) -> str:
        who, ramp, wall = (
            zh.a(c, c.main, material),
            zh.a(c, c.things["ramp"], material),
            zh.a(c, c.things["wall"], 0),
        )
        return c.pick(f"{who}、{ramp}和{wall}", f"{ramp}、{who}和{wall}")

    def story(self, c: Context) -> list[str]:
        who = zh.the(c, c.main)
        if c.facts.outcome == "sticks":
            return [c.pick(f"{who}没有滑动", "摩擦力把它留在原处", f"{who}保持不动")]
        goes = "滚" if c.facts.outcome == "rolls_down" else "滑"
        said = [c.pick(f"{who}越{goes}越快", f"{who}开始往下{goes}", f"它{goes}下斜坡,速度加快")]
        if c.details["reached_floor"]:
            said.append(c.pick("它到达地面", f"{who}离开斜坡,在地上继续前进", "到了坡底,它来到地面"))
        if c.details["hit_wall"]:
            said.append(
                c.pick(
                    "它撞上了墙", f"{who}碰到{zh.COLOURS[c.things['wall'].paint.colour]}的墙", "墙把它挡住了"
                )
            )
        return said

    def ending(self, c: Context) -> str:
        who = zh.the(c, c.main)
        if c.facts.outcome == "sticks":
            return c.pick(f"{who}仍在斜坡上", f"{who}没有移动", "最后它还在原来的地方")
        goes = "滚" if c.facts.outcome == "rolls_down" else "滑"
        if c.details.get("rebounds"):
            return c.pick(f"{who}碰墙后又{goes}了回来", f"{who}被墙弹了回来", f"它到了墙边又往回{goes}")
        if c.details["hit_wall"]:
            return c.pick(f"{who}最后到了墙边", f"它一直{goes}到了墙边", f"{who}到达了墙边")
        if c.details["reached_floor"]:
            return c.pick(f"{who}在地面上继续前进", f"{who}离开了斜坡", "它已经到了平地上")
        return c.pick(f"{who}还在往下走", "它还没有到坡底")

    @staticmethod
    def _ramp(c: Context) -> str:
        steep = c.pick("陡峭的", "") if c.details["steep"] else ""
        colour = f"{zh.COLOURS[c.things['ramp'].paint.colour]}" if c.chance(0.5) else ""
        return f"{steep}{colour}{c.pick('斜坡', '斜面', '坡道')}"
