"""Wordings of the bounce family."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook


class English(Phrasebook):
    def line(self, c: Context) -> str:
        count = c.details["count"]
        if count == 1:
            verb = c.pick(
                "bounces",
                "falls and bounces",
                "drops and bounces",
                "is dropped and bounces",
                "bounces up and down",
            )
            return f"{en.a(c, c.main)} {verb}"
        who = en.listing([en.a(c, thing, 0.3) for thing in c.cast])
        if c.chance(0.15):
            who = f"{en.number(count)} balls, {en.listing([thing.paint.colour for thing in c.cast])},"
        return f"{who} {c.pick('bounce', 'fall and bounce', 'drop and bounce', 'are dropped and bounce')}"

    def opening(self, c: Context) -> str:
        who = en.listing([en.a(c, thing, 0.8) for thing in c.cast])
        verb = "is" if len(c.cast) == 1 else "are"
        return c.pick(
            f"{who} {verb} dropped to bounce",
            f"{who} {verb} let go to fall and bounce",
            f"{who} {verb} in the air, about to bounce",
        )

    def story(self, c: Context) -> list[str]:
        said = []
        for thing in c.cast:
            bounces, rolls = len(c.events("bounce", thing.name)), c.has("roll", thing.name)
            who = en.the(c, thing)
            if thing.name in c.gone and bounces:  # the last bounces may not be in the picture
                verbs = ("bounces and rolls",) if rolls else ("hits the ground and bounces", "bounces")
                said.append(f"{who} {c.pick(*verbs)} away")
                continue
            if bounces:
                said.append(c.pick(
                    f"{who} hits the ground and bounces {en.times(bounces)}",
                    f"{who} bounces {en.times(bounces)}",
                    f"{who} drops and rebounds {en.times(bounces)}",
                ))  # fmt: skip
            if rolls and thing.name in c.details.get("slow", ()):
                said.append(c.pick(f"then {who} stays on the ground", f"{who} then stays down"))
            elif rolls:
                said.append(c.pick(f"then {who} rolls along the ground", f"{who} then rolls"))
        for event in c.events("collide")[:1]:
            one, two = (en.the(c, c.things[name]) for name in (event.who, event.whom or event.who))
            said.append(
                c.pick(
                    f"along the way {one} and {two} collide",
                    f"at one point {one} and {two} bump into each other",
                )
            )
        return said

    def ending(self, c: Context) -> str:
        who = en.the(c, c.main)
        side = c.details["direction"]
        drift = f" to the {side}" if side else ""
        if c.main.name in c.gone:
            verb = "bounces" if c.facts.outcome == "still_bouncing" else "rolls"
            return c.pick(f"{who} {verb} away{drift}", f"{who} moves off{drift}")
        if c.facts.outcome == "rolls_away" and c.main.name in c.details.get("slow", ()):
            return c.pick(f"{who} no longer bounces", f"in the end {who} stays on the ground")
        return {
            "still_bouncing": c.pick(f"{who} keeps bouncing{drift}", f"at the end {who} is still bouncing", f"{who} has not stopped yet"),
            "rolls_away": c.pick(f"{who} rolls away{drift}", f"in the end {who} rolls on{drift}"),
            "comes_to_rest": c.pick(f"{who} comes to rest", f"{who} settles on the ground", f"finally {who} lies still"),
        }[c.facts.outcome]  # fmt: skip


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        count = c.details["count"]
        verb = c.pick("在弹跳", "落下后弹起", "掉下来弹了起来", "上下弹跳", "从空中落下并弹起", "在蹦跳")
        if count > 1 and c.chance(0.15):
            colours = zh.listing([zh.COLOURS[thing.paint.colour] for thing in c.cast])
            return f"{colours}{zh.number(count)}个球{verb}"
        who = zh.listing([zh.a(c, thing, 0.5 if count == 1 else 0.3) for thing in c.cast])
        return f"{who}{verb}"

    def opening(self, c: Context) -> str:
        who = zh.listing([zh.a(c, thing, 0.8) for thing in c.cast])
        return c.pick(f"{who}从高处落下", f"{who}从空中落下", f"{who}被松开后往下掉")

    def story(self, c: Context) -> list[str]:
        said = []
        for thing in c.cast:
            bounces, rolls = len(c.events("bounce", thing.name)), c.has("roll", thing.name)
            who = zh.the(c, thing)
            if thing.name in c.gone and bounces:
                away = ("弹了几下后滚远了",) if rolls else ("落地后弹远了", "弹跳着远去")
                said.append(f"{who}{c.pick(*away)}")
                continue
            if bounces:
                n = zh.number(bounces)
                said.append(c.pick(f"{who}落地后弹了{n}下", f"{who}弹起{n}次", f"{who}碰到地面,反弹{n}次"))
            if rolls and thing.name in c.details.get("slow", ()):
                said.append(c.pick(f"然后{who}留在地上", f"接着{who}不再弹起"))
            elif rolls:
                said.append(c.pick(f"然后{who}在地上滚动", f"接着{who}滚了起来"))
        for event in c.events("collide")[:1]:
            one, two = (zh.the(c, c.things[name]) for name in (event.who, event.whom or event.who))
            said.append(c.pick(f"期间{one}和{two}相撞", f"途中{one}和{two}撞在一起"))
        return said

    def ending(self, c: Context) -> str:
        who = zh.the(c, c.main)
        side = {"left": "向左", "right": "向右"}.get(c.details["direction"] or "", "")
        if c.main.name in c.gone:
            verb = "弹" if c.facts.outcome == "still_bouncing" else "滚"
            return c.pick(f"{who}{side}{verb}远了", f"{who}{side}远去")
        if c.facts.outcome == "rolls_away" and c.main.name in c.details.get("slow", ()):
            return c.pick(f"{who}不再弹跳", f"最后{who}留在地上")
        return {
            "still_bouncing": c.pick(f"{who}继续{side}弹跳", f"最后{who}还在弹跳", f"{who}还没有停下来"),
            "rolls_away": c.pick(f"{who}{side}滚走了", f"最后{who}还在{side}滚动"),
            "comes_to_rest": c.pick(f"{who}停了下来", f"{who}静止在地上", f"最后{who}不动了"),
        }[c.facts.outcome]
