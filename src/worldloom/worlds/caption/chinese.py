"""Chinese words for things, settings and camera moves."""

from __future__ import annotations

from worldloom.worlds.caption.context import Context
from worldloom.worlds.scene import Thing

# Measure word and nouns by caption key.
NOUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "ball": ("个", ("球", "球", "圆球", "小球")),
    "box": ("个", ("方块", "箱子", "盒子")),
    "cylinder": ("个", ("圆柱体", "圆柱")),
    "screen": ("块", ("挡板", "板子", "隔板")),
    "car": ("辆", ("小汽车", "小车", "玩具车")),
    "cone": ("个", ("路锥", "锥桶", "交通锥")),
    "block": ("块", ("积木", "方块")),
    "arm": ("条", ("机械臂", "机器臂")),
    "table": ("张", ("桌子",)),
    "egg": ("个", ("鸡蛋", "蛋")),
    "tomato": ("个", ("西红柿", "番茄")),
    "cushion": ("个", ("软垫", "垫子")),
    "ledge": ("个", ("台子", "高台")),
    "yolk": ("个", ("蛋黄",)),
    "shell": ("片", ("蛋壳",)),
    "cup": ("个", ("杯子", "马克杯")),
    "grain": ("颗", ("珠子", "小珠子")),
    "pillow": ("个", ("枕头",)),
    "hoop": ("个", ("篮筐", "篮圈")),
    "backboard": ("块", ("篮板",)),
    "pole": ("根", ("柱子",)),
    "domino": ("张", ("骨牌", "多米诺骨牌")),
    "ramp": ("个", ("斜坡", "斜面", "坡道")),
    "wall": ("面", ("墙", "矮墙")),
    "frame": ("个", ("架子", "支架")),
    "cue_ball": ("个", ("母球", "主球")),
}

COLOURS = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "cyan": "青色",
    "blue": "蓝色",
    "purple": "紫色",
    "pink": "粉色",
    "brown": "棕色",
    "white": "白色",
    "black": "黑色",
    "grey": "灰色",
}

MATERIALS = {
    "rubber": ("橡胶", "哑光", ""),
    "plastic": ("塑料", "光滑的", ""),
    "metal": ("金属", "闪亮的金属"),
    "wooden": ("木头", "木制", "木质"),
    "marble": ("大理石", "抛光大理石"),
    "glass": ("玻璃", "半透明", "透明玻璃"),
    "striped": ("条纹", "带条纹的"),
    "dotted": ("波点", "带圆点的", "斑点"),
}

FLOORS = {
    "wooden": ("木地板上", "木板地面上", "木质地板上"),
    "tiled": ("瓷砖地面上", "方格瓷砖上", "棋盘格地砖上"),
    "marble": ("大理石地面上", "光滑的大理石上", "白色大理石地板上"),
    "grass": ("草地上", "绿色的草坪上", "青草地上"),
    "sand": ("沙地上", "起伏的沙地上"),
    "concrete": ("水泥地上", "混凝土地面上", "灰色水泥地面上"),
    "carpet": ("红地毯上", "地毯上", "铺着地毯的地面上"),
    "brick": ("砖地上", "红砖地面上", "砖铺的地上"),
}

MOODS = {
    "noon": ("正午", "晴朗的天空下", "明亮的阳光下", "大晴天里"),
    "sunset": ("日落时分", "傍晚的暖光中", "橙色的天空下", "黄昏时"),
    "overcast": ("阴天", "灰色的天空下", "柔和的阴天光线里"),
    "night": ("夜里", "月光下", "夜空下", "深夜"),
    "studio": ("摄影棚里", "白色背景前", "影棚灯光下"),
    "dawn": ("黎明时分", "粉色的晨光中", "清晨", "淡粉色的天空下"),
}

CAMERA = {
    "still": ("镜头静止不动", "固定镜头", "摄像机保持不动", "静态画面"),
    "orbit_left": ("镜头向左环绕", "摄像机绕着场景向左转", "向左环绕拍摄"),
    "orbit_right": ("镜头向右环绕", "摄像机绕着场景向右转", "向右环绕拍摄"),
    "push_in": ("镜头推近", "摄像机慢慢靠近", "缓慢推进的镜头"),
    "pull_out": ("镜头拉远", "摄像机慢慢后退", "缓慢拉远的镜头"),
    "pan_left": ("镜头向左平移", "镜头缓缓左移", "镜头向左横移"),
    "pan_right": ("镜头向右平移", "镜头缓缓右移", "镜头向右横移"),
    "crane_up": ("镜头升高", "摄像机缓缓上升", "上升的摇臂镜头"),
    "crane_down": ("镜头下降", "摄像机缓缓降低", "下降的摇臂镜头"),
    "handheld": ("手持镜头微微晃动", "手持拍摄", "画面轻微抖动"),
}

NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")


def number(count: int) -> str:
    """A count before a measure word (two is 两), in characters up to twelve."""
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def noun(c: Context, thing: Thing) -> str:
    """One word for the thing, the same throughout a caption."""
    return c.said.setdefault(thing.name, c.pick(*NOUNS[thing.noun][1]))


def bare(c: Context, thing: Thing, material: float = 0.5) -> str:
    """颜色、材质和名词: 红色的橡胶球, 红色橡胶球, 闪亮的红色金属球."""
    stuff = c.pick(*MATERIALS[thing.paint.material]) if c.chance(material) else ""
    colour = COLOURS[thing.paint.colour]
    head, mark, tail = stuff.rpartition("的")
    if not tail:  # "光滑的" itself links to the noun
        return f"{colour}{stuff or c.pick('的', '')}{noun(c, thing)}"
    link = "的" if not mark and c.chance(0.5) else ""
    return f"{head}{mark}{colour}{link}{tail}{noun(c, thing)}"


def a(c: Context, thing: Thing, material: float = 0.5) -> str:
    """一个红色的橡胶球: how a thing is introduced."""
    return f"一{NOUNS[thing.noun][0]}{bare(c, thing, material)}"


def the(c: Context, thing: Thing, material: float = 0.0) -> str:
    """红色的球: how a thing already introduced is spoken of."""
    return bare(c, thing, material)


def listing(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{'、'.join(parts[:-1])}和{parts[-1]}"


def floor(c: Context) -> str:
    return c.pick(*FLOORS[c.look.floor])


def mood(c: Context) -> str:
    """The light; a sky or a backdrop only where the camera sees one."""
    said = MOODS[c.look.mood]
    return c.pick(*(said if c.sky else [text for text in said if "空" not in text and "背景" not in text]))


def camera(c: Context) -> str:
    return c.pick(*CAMERA[c.look.camera_move])


def join(parts: list[str]) -> str:
    """Sentences with full stops between them."""
    return punctuated("".join(f"{part.rstrip('。')}。" for part in parts if part))


def punctuated(text: str) -> str:
    """Full-width commas and colons, as Chinese is printed."""
    return text.translate({ord(","): "\uff0c", ord(":"): "\uff1a"})


def short(c: Context, line: str) -> str:
    """A user's line: the clause, sometimes with a place or a light in front, rarely a full stop."""
    extra = c.rng.random()
    if extra < 0.35:
        line = f"在{floor(c)},{line}" if c.chance(0.5) else f"{floor(c)},{line}"
    elif extra < 0.5:
        line = f"{mood(c)},{line}"
    return punctuated(f"{line}。" if c.chance(0.3) else line)


def medium(c: Context, line: str, ending: str) -> str:
    """One or two sentences: what, where, how it ends."""
    place = c.pick(f"在{floor(c)},", f"{mood(c)},在{floor(c)},", f"{floor(c)},")
    parts = [f"{place}{line}", ending]
    if c.chance(0.3):
        parts.append(camera(c))
    return join(parts)


def dense(c: Context, opening: str, story: list[str], ending: str) -> str:
    """Everything: what and looks, setting, events in order, camera, outcome."""
    setting = c.pick(f"{mood(c)},在{floor(c)},{opening}", f"{floor(c)},{opening},{mood(c)}拍摄")
    view = camera(c)
    parts = [view, setting, *story, ending] if c.chance(0.25) else [setting, *story, ending, view]
    return join(parts)


def everything(c: Context, material: float) -> str:
    """The whole cast as a noun phrase: 一个红色的球、一个鸡蛋和三个路锥."""
    said = []
    for group in c.alike():
        if len(group) < 3:
            said += [a(c, thing, material) for thing in group]
        else:
            said.append(f"{number(len(group))}{NOUNS[group[0].noun][0]}{noun(c, group[0])}")
    return listing(said)


def picture(c: Context, length: str, what: str) -> str:
    """One frame: what and where; at medium length and beyond in what light."""
    if length == "short":
        return short(c, what)
    if length == "medium":
        return join(
            [
                c.pick(
                    f"{mood(c)},{floor(c)}有{what}",
                    f"{floor(c)}有{what},{mood(c)}拍摄",
                    f"{mood(c)}的{floor(c)},{what}",
                )
            ]
        )
    kind = c.pick("一张图片", "一张照片", "静止的画面", "一幅画面")
    return c.pick(
        join([f"{kind}:{mood(c)},{floor(c)}有{what}"]),
        join([f"{mood(c)},{floor(c)}有{what}", f"这是{kind}"]),
        join([f"{kind}里有{what}", f"地点在{floor(c)},{mood(c)}"]),
    )
