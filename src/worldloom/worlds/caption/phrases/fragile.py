"""Wordings of the fragile family. Eggs and tomatoes are called by colour only: their stuff is what they are."""

from __future__ import annotations

from worldloom.worlds.caption import chinese as zh
from worldloom.worlds.caption import english as en
from worldloom.worlds.caption.context import Context
from worldloom.worlds.caption.phrasebook import Phrasebook
from worldloom.worlds.scene import Thing

PATTERNS = ("striped", "dotted")


def _breaks_on_floor(c: Context) -> bool:
    """Whether a knocked egg broke in the fall and not under the blow."""
    lands, breaks = c.events("land"), c.events("break")
    return bool(lands and breaks and breaks[0].frame >= lands[0].frame)


def _said(thing: Thing, chance: float) -> float:
    """The chance that its material is said: a cushion is soft, so marble or wood is its print and no word for it."""
    return 0.0 if thing.noun == "cushion" and thing.paint.material not in PATTERNS else chance


def _falls(c: Context) -> bool:
    return c.details["cause"] != "knock" or c.has("land")


class English(Phrasebook):
    def line(self, c: Context) -> str:
        who = en.a(c, c.main, 0)
        broken, cause = c.facts.outcome == "egg_breaks", c.details["cause"]
        whole = c.pick("stays whole", "does not break", "remains intact", "survives")
        if cause == "knock":
            ball, ledge = en.a(c, c.things["ball"], 0.3), en.a(c, c.things["ledge"], 0.3)
            off = c.pick(f"{ball} knocks {who} off {ledge}", f"{who} is knocked off {ledge} by {ball}")
            hit = c.pick(f"{ball} hits {who}", f"{ball} rolls into {who}", f"{ball} bumps into {who}")
            if broken and not _breaks_on_floor(c):
                return f"{hit} and {c.pick('cracks it open', 'breaks it', 'smashes it')} on top of {ledge}"
            if broken:
                return f"{off} and it {c.pick('breaks', 'smashes', 'breaks open', 'bursts')}"
            blow = off if _falls(c) else f"{hit} on {ledge}"
            return f"{blow} and it {whole}"
        drop = {
            "drop": c.pick("falls", "is dropped", "drops", "falls from above"),
            "low": c.pick("falls a few centimetres", "is dropped from just above the ground", "falls from a very low height"),
            "cushion": c.pick(f"falls onto {self._cushion(c, 0.3)}", f"lands on {self._cushion(c, 0.3)}") if "cushion" in c.things else "",
        }[cause]  # fmt: skip
        if broken:
            return f"{who} {drop} and {c.pick('breaks', 'smashes', 'cracks open', 'breaks into pieces')}"
        return f"{who} {drop} and {whole}"

    def opening(self, c: Context) -> str:
        who, cause = en.a(c, c.main, 0), c.details["cause"]
        if cause == "knock":
            ball, ledge = en.a(c, c.things["ball"], 0.8), en.a(c, c.things["ledge"], 0.8)
            return c.pick(
                f"{ball} rolls towards {who} at the edge of {ledge}",
                f"{ball} rolls at {who} on top of {ledge}",
                f"{who} and {ball} rolling towards it are on top of {ledge}",
            )
        if cause == "cushion":
            cushion = self._cushion(c, 0.8)
            return c.pick(
                f"{who} is in the air above {cushion}",
                f"{who} falls towards {cushion}",
                f"{cushion} waits under {who}",
            )
        if cause == "low":
            return c.pick(f"{who} starts just above the ground", f"{who} is let go close to the ground")
        return c.pick(
            f"{who} is let go and falls down",
            f"{who} is dropped from a height",
            f"{who} is let go high up and comes down",
        )

    def scene(self, c: Context, material: float) -> str:
        bare = en.bare(c, c.main, 0)
        who = en.article(bare)
        if c.has("break"):
            who = c.pick(
                f"a broken {bare} and its yolk",
                f"a broken {bare}",
                f"a {bare.replace('egg', 'eggshell')} in two halves",
            )
        return en.listing([who, *(en.a(c, thing, _said(thing, material)) for thing in c.cast[1:])])

    def story(self, c: Context) -> list[str]:
        who, said = en.the(c, c.main), []
        if c.has("knock"):
            said.append(
                c.pick(
                    f"{en.the(c, c.things['ball'])} strikes {who}",
                    f"{en.the(c, c.things['ball'])} runs into {who}",
                )
            )
        if c.has("land") and c.details["cause"] == "knock":
            said.append(
                c.pick(f"{who} goes over the edge and hits the ground", f"{who} tumbles down to the ground")
            )
        elif c.has("land"):
            under = "the cushion" if c.details["cause"] == "cushion" else "the ground"
            said.append(
                c.pick(f"{who} hits {under}", f"{who} lands on {under}", f"{who} comes down on {under}")
            )
        if c.has("break"):
            said.append(
                c.pick(
                    "the shell bursts into two halves", "the shell cracks open", "the eggshell splits in two"
                )
            )
        elif c.details["cause"] == "cushion":
            said.append(c.pick("the soft cushion takes up the fall", "the cushion softens the landing"))
        return said

    def ending(self, c: Context) -> str:
        who = en.the(c, c.main)
        knock = c.details["cause"] == "knock"  # the pieces fly apart
        between = ("the yolk runs out beside the pieces of shell", "yolk and white lie beside the broken shell")  # fmt: skip
        return {
            "egg_breaks": c.pick(*(("the yolk has run out of the shell",) if knock else between), f"{who} is broken, its yolk in the open", "all that is left of it is yolk, white and broken shell"),
            "egg_survives": c.pick(f"{who} is still whole", f"the shell of {who} has held", f"{who} does not break", "not a crack is to be seen"),
            "tomato_survives": c.pick(f"{who} is unharmed", f"{who} is still whole", f"nothing happens to {who}", f"{who} stays in one piece"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _cushion(c: Context, material: float) -> str:
        cushion = c.things["cushion"]
        return en.a(c, cushion, _said(cushion, material))


class Chinese(Phrasebook):
    def line(self, c: Context) -> str:
        who = zh.a(c, c.main, 0)
        broken, cause = c.facts.outcome == "egg_breaks", c.details["cause"]
        whole = c.pick("完好无损", "没有破", "没摔坏", "安然无恙")
        if cause == "knock":
            ball, ledge = zh.a(c, c.things["ball"], 0.3), zh.a(c, c.things["ledge"], 0.3)
            off = c.pick(f"{ball}把{who}从{ledge}上撞下来", f"{who}被{ball}撞下{ledge}")
            struck = f"{zh.bare(c, c.things['ledge'], 0.3)}上的{zh.bare(c, c.main, 0)}"
            hit = f"{ball}{c.pick('撞上', '滚过来碰到', '碰了一下')}{struck}"
            if broken and not _breaks_on_floor(c):
                return f"{hit},{c.pick('把它撞破了', '蛋破了', '蛋壳碎了', '撞碎了它')}"
            if broken:
                return f"{off},{c.pick('摔破了', '摔碎了', '蛋壳碎了', '破了')}"
            return f"{off if _falls(c) else hit},{whole}"
        drop = {
            "drop": c.pick("掉下来", "从高处落下", "摔到地上", "落到地上"),
            "low": c.pick("从很低的地方落下", "从离地几厘米处掉下", "轻轻落到地上"),
            "cushion": c.pick(f"落在{self._cushion(c, 0.3)}上", f"掉到{self._cushion(c, 0.3)}上") if "cushion" in c.things else "",
        }[cause]  # fmt: skip
        if broken:
            return f"{who}{drop},{c.pick('摔破了', '摔碎了', '蛋壳裂开了', '碎了')}"
        return f"{who}{drop},{whole}"

    def opening(self, c: Context) -> str:
        who, cause = zh.a(c, c.main, 0), c.details["cause"]
        if cause == "knock":
            ball, ledge = zh.a(c, c.things["ball"], 0.8), zh.a(c, c.things["ledge"], 0.8)
            return c.pick(
                f"{who}放在{ledge}边缘,{ball}朝它滚来",
                f"{ball}在{ledge}上滚向{who}",
                f"{ledge}上,{ball}冲着{who}滚过去",
            )
        if cause == "cushion":
            cushion = self._cushion(c, 0.8)
            return c.pick(f"{who}在{cushion}上方落下", f"{who}朝着{cushion}掉下去", f"{who}的下面是{cushion}")
        if cause == "low":
            return c.pick(f"{who}离地面很近", f"{who}从贴近地面处落下")
        return c.pick(f"{who}从空中落下", f"{who}从高处落下", f"{who}从上方掉下来")

    def scene(self, c: Context, material: float) -> str:
        bare = zh.bare(c, c.main, 0)
        who = c.pick(f"一个破了的{bare}", f"一个碎了的{bare}和它的蛋黄") if c.has("break") else f"一个{bare}"
        return zh.listing([who, *(zh.a(c, thing, _said(thing, material)) for thing in c.cast[1:])])

    def story(self, c: Context) -> list[str]:
        who, said = zh.the(c, c.main), []
        if c.has("knock"):
            said.append(
                c.pick(f"{zh.the(c, c.things['ball'])}撞到{who}", f"{zh.the(c, c.things['ball'])}碰上了{who}")
            )
        if c.has("land") and c.details["cause"] == "knock":
            said.append(c.pick(f"{who}从边上掉下去,落到地面", f"{who}翻下来,碰到地面"))
        elif c.has("land"):
            under = "软垫" if c.details["cause"] == "cushion" else "地面"
            said.append(c.pick(f"{who}碰到{under}", f"{who}落到{under}上"))
        if c.has("break"):
            said.append(c.pick("蛋壳裂成两半", "蛋壳一下子裂开", "蛋壳碎了"))
        elif c.details["cause"] == "cushion":
            said.append(c.pick("柔软的垫子缓冲了下落", "垫子减轻了撞击"))
        return said

    def ending(self, c: Context) -> str:
        who = zh.the(c, c.main)
        between = () if c.details["cause"] == "knock" else ("蛋黄和蛋清露在碎蛋壳旁边",)
        return {
            "egg_breaks": c.pick("蛋黄流了出来", *between, f"{who}碎了,蛋黄露在外面", "只剩下蛋黄、蛋清和破碎的蛋壳"),
            "egg_survives": c.pick(f"{who}还是完整的", f"{who}没有破", "蛋壳没有裂开", f"最后{who}完好无损"),
            "tomato_survives": c.pick(f"{who}完好无损", f"{who}没有摔坏", f"{who}一点事也没有", f"最后{who}还是完整的"),
        }[c.facts.outcome]  # fmt: skip

    @staticmethod
    def _cushion(c: Context, material: float) -> str:
        cushion = c.things["cushion"]
        return zh.a(c, cushion, _said(cushion, material))
