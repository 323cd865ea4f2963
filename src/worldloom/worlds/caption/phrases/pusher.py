"""Wordings of the pusher family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook

ZH_SIDE = {"right": "右", "left": "左"}


def _bump_place(c: Context, said: list[str]) -> int:
    """Where among the clauses the bump belongs: last, but before the way over the edge that ends the story."""
    off = c.events("fall_off")
    return len(said) - 1 if off and c.events("bump")[0].frame < off[0].frame else len(said)


class English(Phrasebook):
    def line(self, c: Context) -> str:
        arm, block = en.a(c, c.things["arm"], 0.2), self._block(c, 0.4)
        side = c.details["direction"]
        table = c.pick("a table", en.a(c, c.things["table"], 0.4))
        return {
            "slides": c.pick(
                f"{arm} pushes {block} to the {side}", f"{arm} slides {block} along {table}", f"{arm} shoves {block} across {table}", f"{block} is pushed {side} by {arm}"
            ),
            "topples": c.pick(
                f"{arm} knocks over {block}", f"{arm} topples {block} on {table}", f"{arm} pushes {block} over", f"{block} is tipped over by {arm}"
            ),
            "falls_off": c.pick(
                f"{arm} pushes {block} off {table}", f"{arm} shoves {block} over the edge of {table}", f"{block} is pushed off {table} by {arm}", f"{arm} makes {block} fall off {table}"
            ),
            "missed": c.pick(
                f"{arm} misses {block}", f"{arm} moves past {block} without touching it", f"{arm} sweeps past {block} on {table}", f"{arm} passes beside {block}"
            ),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        arm, block, table = (
            en.a(c, c.things["arm"], 0.3),
            self._block(c, 0.8),
            en.a(c, c.things["table"], 0.8),
        )
        extra = f" and {en.a(c, c.things['second_block'], 0.6)}" if "second_block" in c.things else ""
        return c.pick(
            f"{arm} reaches over {table} with {block}{extra}, set",
            f"{block}{extra} {'are' if extra else 'is'} on {table}, and {arm} reaches over it",
            f"{table} carries {block}{extra}; {arm} stands behind it",
        )

    def story(self, c: Context) -> list[str]:
        block, side = en.the(c, c.main), c.details["direction"]
        said = [
            c.pick(
                f"the arm moves to the {side}",
                f"the tip of the arm swings {side}",
                f"the arm sweeps to the {side}",
            )
        ]
        if c.has("touch"):
            said.append(c.pick(f"it touches {block}", f"its round tip meets {block}", f"it reaches {block}"))
        if c.facts.outcome == "slides":
            said.append(
                c.pick(
                    f"{block} slides along",
                    f"{block} is pushed across the table",
                    f"it drives {block} before it",
                )
            )
        elif c.facts.outcome == "topples":
            said.append(
                c.pick(f"{block} tilts", "the push comes high up and tips it", f"{block} loses its balance")
            )
        elif c.facts.outcome == "falls_off":
            said.append(c.pick(f"{block} is pushed to the edge", f"{block} slides up to the edge and beyond"))
        if c.has("bump"):
            said.insert(
                _bump_place(c, said),
                c.pick(
                    f"{block} bumps into {en.the(c, c.things['second_block'])}",
                    f"{block} runs against {en.the(c, c.things['second_block'])}",
                ),
            )
        return said

    def ending(self, c: Context) -> str:
        block, side = en.the(c, c.main), c.details["direction"]
        return {
            "slides": c.pick(f"{block} has moved to the {side}", f"{block} ends up further {side}", f"{block} stays upright on the table"),
            "topples": c.pick(f"{block} falls over", f"{block} lies on its side", f"in the end {block} is down"),
            "falls_off": c.pick(f"{block} falls to the ground", f"{block} drops off the table", f"{block} goes over the edge"),
            "missed": c.pick(f"{block} has not moved", f"{block} stays where it was", f"{block} remains untouched"),
        }[c.facts.outcome]  # fmt: skip

    def _block(self, c: Context, material: float) -> str:
        bare = en.bare(c, c.main, material)
        return en.article(f"tall {bare}" if c.details["tall"] else bare)


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        arm, block, side = zh.a(c, c.things["arm"], 0.2), self._block(c, 0.4), ZH_SIDE[c.details["direction"]]
        return {
            "slides": c.pick(f"{arm}把{block}向{side}推", f"{arm}在桌上推动{block}", f"{arm}推着{block}在桌面上滑动", f"{block}被{arm}推向{side}边"),
            "topples": c.pick(f"{arm}推倒{block}", f"{arm}把{block}推倒在桌上", f"{arm}碰倒了{block}", f"{block}被{arm}推倒"),
            "falls_off": c.pick(f"{arm}把{block}推下桌子", f"{arm}把{block}推出桌边", f"{block}被{arm}推下桌", f"{arm}让{block}从桌上掉下去"),
            "missed": c.pick(f"{arm}没有碰到{block}", f"{arm}从{block}旁边扫过", f"{arm}从{block}旁边掠过,没有碰到它"),
        }[c.facts.outcome]  # fmt: skip

    def opening(self, c: Context) -> str:
        arm, block, table = (
            zh.a(c, c.things["arm"], 0.3),
            self._block(c, 0.8),
            zh.a(c, c.things["table"], 0.8),
        )
        extra = f"和{zh.a(c, c.things['second_block'], 0.6)}" if "second_block" in c.things else ""
        return c.pick(
            f"{table}上放着{block}{extra},{arm}伸了过来", f"{block}{extra}放在{table}上,后面是{arm}", f"{arm}伸到{table}上方,桌上有{block}{extra}"
        )  # fmt: skip

    def story(self, c: Context) -> list[str]:
        block, side = zh.the(c, c.main), ZH_SIDE[c.details["direction"]]
        said = [c.pick(f"机械臂向{side}移动", f"机械臂的末端向{side}摆去", f"机械臂往{side}扫过")]
        if c.has("touch"):
            said.append(c.pick(f"它碰到{block}", f"圆头顶上了{block}", f"它够到了{block}"))
        if c.facts.outcome == "slides":
            said.append(c.pick(f"{block}跟着滑动", f"{block}在桌面上被推着走"))
        elif c.facts.outcome == "topples":
            said.append(c.pick(f"{block}开始倾斜", f"推力在高处,{block}失去平衡"))
        elif c.facts.outcome == "falls_off":
            said.append(c.pick(f"{block}被推到桌边", f"{block}滑到桌沿外面"))
        if c.has("bump"):
            said.insert(
                _bump_place(c, said),
                c.pick(
                    f"{block}撞到了{zh.the(c, c.things['second_block'])}",
                    f"{block}碰上了{zh.the(c, c.things['second_block'])}",
                ),
            )
        return said

    def ending(self, c: Context) -> str:
        block, side = zh.the(c, c.main), ZH_SIDE[c.details["direction"]]
        return {
            "slides": c.pick(f"{block}移到了{side}边一些", f"最后{block}还立在桌上", f"{block}换了位置"),
            "topples": c.pick(f"{block}倒下了", f"{block}横躺在桌上", f"最后{block}翻倒了"),
            "falls_off": c.pick(f"{block}掉到地上", f"{block}从桌上掉了下去", f"最后{block}落下桌沿"),
            "missed": c.pick(f"{block}一动不动", f"{block}还在原处", f"{block}没有被碰到"),
        }[c.facts.outcome]

    def _block(self, c: Context, material: float) -> str:
        tall = c.pick("高高的", "高大的") if c.details["tall"] else ""
        return f"一块{tall}{zh.bare(c, c.main, material)}"
