"""Wordings of the pendulum family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook


def _cradle(c: Context) -> bool:
    return c.details["kind"] == "cradle"


class English(Phrasebook):
    def line(self, c: Context) -> str:
        if _cradle(c):
            return self._cradle_line(c)
        bob = c.pick(
            f"{en.a(c, c.main, 0.4)} on a {c.pick('string', 'cord', 'thread')}",
            f"a pendulum with {en.a(c, c.main, 0.4)}",
            f"{en.article(c.main.paint.colour)} pendulum",
        )
        if c.facts.outcome == "swings":
            both_ways = ("back and forth", "to and fro") if c.details["passes"] >= 2 else ()
            return c.pick(
                f"{bob} swings {c.pick('freely', 'through the air', *both_ways)}",
                f"{bob} swings from {en.article(c.things['frame'].paint.colour)} frame",
            )
        block = en.a(c, c.things["block"], 0.3)
        if c.facts.outcome == "knocks_over":
            return c.pick(
                f"{bob} swings and knocks over {block}",
                f"{bob} topples {block}",
                f"{bob} swings into {block}, which falls over",
            )
        return c.pick(
            f"{bob} swings against {block}, which does not fall",
            f"{bob} hits {block} and bounces back",
            f"{bob} bumps into {block}, which stays standing",
        )

    def _cradle_line(self, c: Context) -> str:
        cradle = c.pick(
            f"a Newton's cradle with {en.number(c.details['count'])} {c.main.paint.colour} balls",
            f"a Newton's cradle with {c.main.paint.colour} balls",
            f"{en.number(c.details['count'])} {c.main.paint.colour} balls hanging in a row",
            f"a Newton's cradle of {c.main.paint.colour} balls in {en.article(c.things['frame'].paint.colour)} frame",
        )
        n, flew = c.details["lifted"], c.details["flew"]
        first = "one ball" if n == 1 else f"{en.number(n)} balls"
        last = "one flies" if flew == 1 else f"{en.number(flew)} fly"
        return c.pick(
            f"{cradle}: {first} {'strikes' if n == 1 else 'strike'} and {last} out",
            f"{cradle}: {first} {'is' if n == 1 else 'are'} let go and {last} out on the other side",
            f"{cradle}, {first} swinging in and {en.number(flew)} swinging out",
        )

    def opening(self, c: Context) -> str:
        frame = en.a(c, c.things["frame"], 0.4)
        if _cradle(c):
            row = f"{en.number(c.details['count'])} {en.bare(c, c.main, 0.7)}s"
            n = c.details["lifted"]
            ball, lifted = en.noun(c, c.main), "one is" if n == 1 else f"{en.number(n)} are"
            return c.pick(
                f"{row} hang side by side from {frame}, with {en.number(n)} drawn aside,",
                f"a Newton's cradle, {row} in {frame}, has {en.number(n)} {ball if n == 1 else f'{ball}s'} raised,",
                f"{frame} holds a row of {row}, and {lifted} lifted to the {_start(c)},",
            )
        ball = en.a(c, c.main, 0.8)
        block = f" with {en.a(c, c.things['block'], 0.5)} in its way," if "block" in c.things else ""
        return c.pick(
            f"{ball} hangs from {frame} by a cord and is drawn to the {_start(c)},{block}",
            f"a pendulum, {ball} in {frame}, is let go,{block}",
            f"{ball} on a string is released under {frame},{block}",
        )

    def scene(self, c: Context, material: float) -> str:
        frame = en.a(c, c.things["frame"], material)
        if _cradle(c):
            row = f"{en.number(c.details['count'])} {en.bare(c, c.main, material)}s"
            return c.pick(
                f"a Newton's cradle, {row} in {frame}",
                f"{row} hanging from {frame}",
                f"a Newton's cradle with {row}",
            )
        block = f", and {en.a(c, c.things['block'], material)}" if "block" in c.things else ""
        return c.pick(
            f"{en.a(c, c.main, material)} hanging from {frame}{block}",
            f"a pendulum, {en.a(c, c.main, material)} in {frame}{block}",
        )

    def story(self, c: Context) -> list[str]:
        side = c.details["direction"]
        if _cradle(c):
            ball, n, flew = en.noun(c, c.main), c.details["lifted"], c.details["flew"]
            said = [
                c.pick(
                    f"the raised {f'{ball} falls' if n == 1 else f'{ball}s fall'} to the {side}",
                    f"{'it swings' if n == 1 else 'they swing'} in and {'clicks' if n == 1 else 'click'} against the row",
                )
            ]
            alone = c.details["count"] - n - flew == 1
            middle = f"{ball} in the middle stays" if alone else f"{ball}s in the middle stay"
            said.append(c.pick(f"the {middle} almost still", "the push runs through the row"))
            said.append(
                c.pick(
                    f"{en.number(flew)} {f'{ball} swings' if flew == 1 else f'{ball}s swing'} out on the far side",
                    f"at the other end {en.number(flew)} {f'{ball} leaps' if flew == 1 else f'{ball}s leap'} up",
                )
            )
            return said
        ball = en.the(c, c.main)
        said = [
            c.pick(
                f"{ball} swings down to the {side}",
                f"{ball} falls along its arc to the {side}",
                f"{ball} gathers speed on its way down",
            )
        ]
        if c.facts.outcome == "swings":
            passes = c.details["passes"]
            if passes:
                said.append(
                    c.pick(
                        f"it passes the lowest point {en.times(passes)}",
                        "it climbs on the other side",
                        "it rises again beyond the middle",
                    )
                )
            return said
        block = en.the(c, c.things["block"])
        if c.has("strike"):
            said.append(c.pick(f"it hits {block}", f"it bumps into {block}", f"{block} is struck"))
        if c.facts.outcome == "knocks_over":
            said.append(c.pick(f"{block} tips over", f"{block} topples to the ground", "the block falls"))
        else:
            said.append(
                c.pick(f"{block} does not fall", f"{block} stays on its base", f"{ball} swings back from it")
            )
        return said

    def ending(self, c: Context) -> str:
        if _cradle(c):
            again = ("the cradle keeps clicking", "then the motion comes back")
            as_many = c.details["flew"] == c.details["lifted"]
            end = "as many fly out as came in" if as_many else "the row swings on"
            return c.pick(*again, end) if c.details.get("returns") else end
        ball = en.the(c, c.main)
        if c.facts.outcome == "swings":
            return c.pick(f"{ball} keeps swinging", "the pendulum swings on", f"{ball} is still in motion")
        block = en.the(c, c.things["block"])
        if c.facts.outcome == "knocks_over":
            return c.pick(
                "the block lies on the ground", f"{block} is down", "the block has been knocked over"
            )
        return c.pick("the block still stands", f"{block} has held", "the block has not fallen")


def _start(c: Context) -> str:
    return "right" if c.details["direction"] == "left" else "left"


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        colour = zh.COLOURS[c.main.paint.colour]
        if _cradle(c):
            count, n, flew = (zh.number(c.details[key]) for key in ("count", "lifted", "flew"))
            cradle = c.pick(
                f"{count}个{colour}球的牛顿摆",
                f"一个挂着{colour}球的牛顿摆",
                f"一排{count}个悬挂的{colour}球",
                f"{zh.COLOURS[c.things['frame'].paint.colour]}架子上的{colour}牛顿摆",
            )
            return c.pick(
                f"{cradle},{n}个球撞上去,另一边弹出{flew}个",
                f"{cradle}:{n}个球落下,{flew}个球飞起",
                f"{cradle},{n}个球摆过来,{flew}个球摆出去",
            )
        bob = c.pick(
            f"一个吊在{c.pick('绳子', '细线', '线')}上的{zh.bare(c, c.main, 0.4)}",
            f"一个{colour}{c.pick('的', '')}摆球",
            f"一个{colour}单摆",
        )
        if c.facts.outcome == "swings":
            both_ways = ("来回摆动", "荡来荡去") if c.details["passes"] >= 2 else ()
            return c.pick(
                *(f"{bob}{swings}" for swings in ("自由摆动", *both_ways)),
                f"{bob}在{zh.COLOURS[c.things['frame'].paint.colour]}的架子下摆动",
            )
        block, thing = zh.a(c, c.things["block"], 0.3), zh.noun(c, c.things["block"])
        if c.facts.outcome == "knocks_over":
            return c.pick(
                f"{bob}摆下来撞倒{block}", f"{bob}荡过去把{block}撞倒", f"{bob}撞上{block},{thing}倒了"
            )
        return c.pick(
            f"{bob}撞上{block},{thing}没有倒",
            f"{bob}摆过去,被{block}挡住",
            f"{bob}撞上{block}弹了回来,没有撞倒它",
        )

    def opening(self, c: Context) -> str:
        frame = zh.a(c, c.things["frame"], 0.4)
        if _cradle(c):
            row, n = (
                f"{zh.number(c.details['count'])}个{zh.bare(c, c.main, 0.7)}",
                zh.number(c.details["lifted"]),
            )
            return c.pick(
                f"{row}并排挂在{frame}上,其中{n}个被拉到{_chinese_start(c)}边",
                f"一个牛顿摆,{row}吊在{frame}上,{n}个被抬起",
                f"{frame}上吊着{row},{n}个球被提了起来",
            )
        ball = zh.a(c, c.main, 0.8)
        block = f",前面有{zh.a(c, c.things['block'], 0.5)}" if "block" in c.things else ""
        return c.pick(
            f"{ball}用细线吊在{frame}上,被拉向{_chinese_start(c)}边{block}",
            f"{ball}在{frame}下被松开{block}",
            f"{frame}上吊着{ball}{block}",
        )

    def scene(self, c: Context, material: float) -> str:
        frame = zh.a(c, c.things["frame"], material)
        if _cradle(c):
            row = f"{zh.number(c.details['count'])}个{zh.bare(c, c.main, material)}"
            return c.pick(f"吊在{frame}上的{row}", f"一个牛顿摆,{row}挂在{frame}上")
        block = f"和{zh.a(c, c.things['block'], material)}" if "block" in c.things else ""
        return c.pick(
            f"吊在{frame}上的{zh.a(c, c.main, material)}{block}",
            f"一个单摆,{frame}上吊着{zh.a(c, c.main, material)}{block.replace('和', ',旁边有')}",
        )

    def story(self, c: Context) -> list[str]:
        side = {"left": "左", "right": "右"}[c.details["direction"]]
        if _cradle(c):
            lifted, flew = c.details["lifted"], zh.number(c.details["flew"])
            n = f"{zh.number(lifted)}个" if lifted > 1 else ""
            return [
                c.pick(f"抬起的{n}球向{side}落下", "球摆下来撞在整排球上"),
                c.pick("中间的球几乎不动", "冲击沿着整排球传过去"),
                c.pick(f"另一端有{flew}个球摆了出去", f"最外边的{flew}个球弹起"),
            ]
        ball = zh.the(c, c.main)
        said = [c.pick(f"{ball}向{side}摆下", f"{ball}沿着弧线落下", f"{ball}加速摆下")]
        if c.facts.outcome == "swings":
            if c.details["passes"]:
                said.append(
                    c.pick(
                        f"它经过最低点{zh.number(c.details['passes'])}次", "它在另一边升起", "它荡到另一侧"
                    )
                )
            return said
        block = zh.the(c, c.things["block"])
        if c.has("strike"):
            said.append(c.pick(f"它撞上{block}", f"它碰到{block}", f"{block}被撞到"))
        if c.facts.outcome == "knocks_over":
            said.append(c.pick(f"{block}翻倒了", f"{block}倒在地上", f"{block}应声倒下"))
        else:
            said.append(c.pick(f"{block}没有倒", f"{block}稳稳立着", f"{ball}被弹了回来"))
        return said

    def ending(self, c: Context) -> str:
        if _cradle(c):
            again = ("牛顿摆继续来回碰撞", "随后运动又传了回来")
            as_many = c.details["flew"] == c.details["lifted"]
            end = "撞进来几个,就弹出去几个" if as_many else "整排球继续摆动"
            return c.pick(*again, end) if c.details.get("returns") else end
        ball = zh.the(c, c.main)
        if c.facts.outcome == "swings":
            return c.pick(f"{ball}继续摆动", "单摆还在摆", f"{ball}没有停下")
        block, thing = zh.the(c, c.things["block"]), zh.noun(c, c.things["block"])
        if c.facts.outcome == "knocks_over":
            return c.pick(f"挡路的{thing}倒在地上", f"{block}倒了", f"{thing}被撞倒了")
        return c.pick(f"{thing}依然立着", f"{block}始终没有倒", f"{thing}挡住了它")


def _chinese_start(c: Context) -> str:
    return "右" if c.details["direction"] == "left" else "左"
