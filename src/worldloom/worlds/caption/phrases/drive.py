"""Wordings of the drive family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook

WAY = {
    "right": "to the right",
    "left": "to the left",
    "away": "away from the camera",
    "toward": "towards the camera",
}
ZH_WAY = {"right": "向右", "left": "向左", "away": "朝画面深处", "toward": "朝镜头"}


class English(Phrasebook):
    def line(self, c: Context) -> str:
        who, way = self._car(c, 0.4), WAY[c.details["direction"]]
        drive = c.pick("drives", "drives", "goes", "rolls")
        return {
            "goes_straight": c.pick(
                f"{who} {drive} straight {way}", f"{who} {drive} {way}", f"{who} {drive} straight ahead", f"{who} drives straight ahead{self._past(c)}"
            ),
            "turns_left": self._turn(c, who, way, "left"),
            "turns_right": self._turn(c, who, way, "right"),
            "stops": c.pick(
                f"{who} brakes and stops", f"{who} {drive} {way} and stops", f"{who} slows down and comes to a halt", f"{who} brakes to a stop"
            ),
            "hits_cone": c.pick(
                f"{who} hits a traffic cone", f"{who} drives into a traffic cone", f"{who} runs into a cone", f"{who} {drive} {way} into a traffic cone"
            ),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        who, way = self._car(c, 0.9), WAY[c.details["direction"]]
        return c.pick(
            f"{who} drives {way}{self._past(c)}", f"{who} is driving {way}{self._past(c)}", f"{who} drives along, heading {way},{self._past(c)}".rstrip(",")
        )  # fmt: skip

    def scene(self, c: Context, material: float) -> str:
        return f"{self._car(c, material)}{self._past(c)}"

    def story(self, c: Context) -> list[str]:
        who, said = en.the(c, c.main), []
        degrees = 10 * round(c.details["turn_degrees"] / 10)
        for side in ("left", "right"):
            if c.has(f"turn_{side}"):
                said.append(c.pick(
                    f"{who} steers {side} and turns by about {degrees} degrees",
                    f"its front wheels turn {side} and it follows a curve",
                    f"then {who} bends off to its {side}",
                ))  # fmt: skip
        if c.has("hit"):
            said.append(
                c.pick(
                    f"{who} knocks into an orange cone",
                    "a cone in its way is struck",
                    f"{who} rams a traffic cone",
                )
            )
        elif c.has("brake"):
            said.append(c.pick(f"{who} brakes", f"{who} slows down", f"then {who} gets slower and slower"))
        if not said:
            said.append(
                c.pick(f"{who} keeps its course", "it does not turn", f"{who} keeps going in a straight line")
            )
        return said

    def ending(self, c: Context) -> str:
        who = en.the(c, c.main)
        return {
            "goes_straight": c.pick(f"{who} drives on", f"{who} is still driving straight at the end", f"{who} does not stop"),
            "turns_left": c.pick(f"{who} has turned left", "it ends up heading to the left of its old course", f"{who} drives on around the left-hand bend"),
            "turns_right": c.pick(f"{who} has turned right", "it ends up heading to the right of its old course", f"{who} drives on around the right-hand bend"),
            "stops": c.pick(f"{who} stands still", f"finally {who} stops", f"{who} comes to a standstill"),
            "hits_cone": c.pick("the cone is pushed out of its place", f"{who} pushes the cone along", "the cone has been hit"),
        }[c.facts.outcome]  # fmt: skip

    def _car(self, c: Context, material: float) -> str:
        return en.a(c, c.main, material)

    def _turn(self, c: Context, who: str, way: str, side: str) -> str:
        return c.pick(
            f"{who} turns {side}", f"{who} drives {way} and turns {side}", f"{who} makes a {side} turn", f"{who} steers to the {side}", f"{who} takes a {side}-hand bend"
        )  # fmt: skip

    def _past(self, c: Context) -> str:
        count = c.details["cones"]
        if not count:
            return ""
        cones = "a traffic cone" if count == 1 else f"{en.number(count)} traffic cones"
        return c.pick(f" near {cones}", f" with {cones} nearby")


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        who, way = zh.a(c, c.main, 0.4), ZH_WAY[c.details["direction"]]
        return {
            "goes_straight": c.pick(f"{who}{way}直行", f"{who}{way}一直开", f"{who}笔直地往前开", f"{who}直直地{way}行驶"),
            "turns_left": c.pick(f"{who}左转", f"{who}{way}行驶后左转", f"{who}向左拐弯", f"{who}打方向向左转弯"),
            "turns_right": c.pick(f"{who}右转", f"{who}{way}行驶后右转", f"{who}向右拐弯", f"{who}打方向向右转弯"),
            "stops": c.pick(f"{who}刹车停下", f"{who}{way}行驶,然后停住", f"{who}减速停车", f"{who}慢慢刹住"),
            "hits_cone": c.pick(f"{who}撞上路锥", f"{who}{way}开,撞到一个锥桶", f"{who}撞上了交通锥", f"{who}开过去撞到路锥"),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        who, way = zh.a(c, c.main, 0.9), ZH_WAY[c.details["direction"]]
        count = c.details["cones"]
        near = (
            c.pick(f",旁边有{zh.number(count)}个路锥", f",附近立着{zh.number(count)}个锥桶") if count else ""
        )
        return c.pick(f"{who}{way}行驶{near}", f"{who}正{way}开过来{near}" if c.details["direction"] == "toward" else f"{who}正{way}开去{near}", f"{who}{way}前进{near}")  # fmt: skip

    def scene(self, c: Context, material: float) -> str:
        count = c.details["cones"]
        cones = f"和{zh.number(count)}个{c.pick('路锥', '锥桶')}" if count else ""
        return f"{zh.a(c, c.main, material)}{cones}"

    def story(self, c: Context) -> list[str]:
        who, said = zh.the(c, c.main), []
        degrees = 10 * round(c.details["turn_degrees"] / 10)
        for side, word in (("left", "左"), ("right", "右")):
            if c.has(f"turn_{side}"):
                said.append(
                    c.pick(
                        f"{who}向{word}打方向,转了大约{degrees}度",
                        f"前轮转向{word}边,车子划出一道弧线",
                        f"随后{who}往{word}拐",
                    )
                )
        if c.has("hit"):
            said.append(c.pick(f"{who}撞上一个橙色的路锥", "挡在路上的锥桶被撞到", f"{who}碰到了交通锥"))
        elif c.has("brake"):
            said.append(c.pick(f"{who}踩了刹车", f"{who}慢了下来", f"接着{who}越开越慢"))
        if not said:
            said.append(c.pick(f"{who}保持方向不变", "它没有转弯", f"{who}一直走直线"))
        return said

    def ending(self, c: Context) -> str:
        who = zh.the(c, c.main)
        return {
            "goes_straight": c.pick(f"{who}继续往前开", f"最后{who}还在直行", f"{who}没有停下"),
            "turns_left": c.pick(f"{who}已经左转", f"最后{who}完成左转", f"{who}沿着左弯开走"),
            "turns_right": c.pick(f"{who}已经右转", f"最后{who}完成右转", f"{who}沿着右弯开走"),
            "stops": c.pick(f"{who}停住不动", f"最后{who}停了下来", f"{who}静止在原地"),
            "hits_cone": c.pick("锥桶被推离了原位", f"{who}推着路锥往前走", "路锥被撞得挪了位置"),
        }[c.facts.outcome]
