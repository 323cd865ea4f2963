"""General words besides the caption grammar, in English and Chinese.

Two uses. The tokenizer is trained on them with the captions, so that an everyday word outside the grammar
is one or two pieces instead of a row of letters. And Chinese has no spaces: these words (with single
characters) are what a run of Chinese is cut into, both for pieces and for naming the words a prompt has
that training never had.

The Chinese list holds words, never phrases: "红球" (red ball) is left out on purpose, because a piece that
welds a colour to an object has no trained embedding for the pair that was never seen together.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ENGLISH = _words(
    """
red orange yellow green blue purple violet pink brown black white gray grey silver gold golden cyan teal turquoise
magenta crimson scarlet maroon beige cream ivory navy olive lime coral amber bronze copper colour color coloured
colored colourful colorful bright dark pale light deep vivid dull pastel neon rainbow transparent
wood wooden metal metallic steel iron brass chrome glass rubber plastic stone marble granite concrete brick clay
ceramic porcelain paper cardboard cloth fabric leather wool cotton silk velvet foam sand gravel grass carpet tile
tiled ice water wax mud dirt snow oak pine bamboo straw cork
glossy matte shiny smooth rough polished rusty dusty wet dry soft hard fluffy furry sharp blunt round square flat
tall short long wide narrow thin thick big large huge giant small little tiny medium heavy light lightweight hollow
solid empty full old new clean dirty broken whole cracked warm cool cold hot frozen
ball balls sphere cube box block brick cylinder cone pyramid disc disk ring torus capsule pipe tube rod stick pole
plank board plate bowl cup mug glass bottle jar vase bucket pot pan kettle teapot spoon fork knife lid can barrel
bag basket chest crate egg tomato apple orange banana lemon pear peach grape grapes strawberry cherry melon watermelon
potato carrot onion bread cake cookie cheese pizza candy chocolate rice milk juice coffee tea honey
table chair desk bench stool sofa couch bed pillow cushion blanket curtain rug mat lamp candle mirror clock book
books shelf door window wall floor ceiling roof stairs ladder fence gate bridge tower castle house room kitchen
garage garden park street road track lane path tunnel hill mountain valley river lake sea ocean beach island forest
tree leaf leaves flower flowers rose cactus bush field desert cave rock cliff waterfall volcano
sky sun moon star stars cloud clouds rain storm lightning fog mist wind fire flame smoke steam spark bubble bubbles
city town village building skyscraper shop station airport school hospital farm barn windmill lighthouse
car cars truck bus van taxi train tram bicycle bike motorcycle scooter boat ship submarine plane airplane helicopter
rocket balloon drone robot wheel engine tyre tire
person people man woman boy girl child children kid baby king queen knight soldier astronaut doctor chef dancer
cat kitten dog puppy horse cow pig sheep goat chicken duck bird eagle owl parrot penguin fish shark whale dolphin
octopus crab turtle frog snake lizard crocodile dinosaur dragon lion tiger bear panda elephant giraffe monkey gorilla
rabbit fox wolf deer mouse hamster squirrel bee butterfly spider ant snail unicorn monster ghost alien
toy doll puzzle kite drum guitar piano violin trumpet phone computer laptop camera television screen keyboard
hammer nail saw scissors rope chain string spring lever gear pulley magnet coin key umbrella hat shoe shoes shirt
dress coat glove gloves ring crown flag sword shield
basketball football soccer tennis baseball golf bowling billiard billiards pool cue hoop rim backboard net goal racket
domino dominoes pendulum cradle ramp slope incline stack pile row line column heap grain grains bead beads marble
obstacle barrier occluder panel pusher arm gripper hand finger leg head face eye eyes hair body tail wing wings
move moves moving motion stop stops start starts go goes come comes leave leaves enter enters exit exits pass passes
roll rolls slide slides bounce bounces fall falls drop drops throw throws toss catch hit hits strike strikes knock
knocks push pushes pull pulls lift lifts raise lower carry hold holds release grab swing swings spin spins rotate
rotates turn turns tilt tilts tip tips topple topples collapse collapses tumble tumbles crash crashes collide collides
break breaks shatter shatters crack cracks burst splash splashes spill spills pour pours flow flows drip float floats
sink sinks fly flies jump jumps run runs walk walks crawl climb dance dances swim swims ride rides drive drives steer
accelerate brake slow slows speed speeds rise rises land lands rest rests settle settles sink dent dents squash
squeeze stretch bend bends twist shake shakes wobble wobbles sway vibrate explode explodes melt melts grow grows
shrink appear appears disappear disappears vanish hide hides emerge emerges open opens close closes cut cuts wave
eat eats drink drinks sleep sit sits stand stands look looks smile laugh sing play plays write draw paint cook
quickly slowly gently suddenly smoothly softly hard fast slow straight sideways forward backward upward downward
up down left right front back behind above below over under between beside near far inside outside around across
through along toward towards away off onto into against top bottom middle centre center side edge corner
first second third last next then finally again once twice before after while until meanwhile together apart alone
one two three four five six seven eight nine ten several many few some each every both all none another other same
camera shot view angle scene clip video picture image frame close-up closeup wide zoom zooms pan pans orbit orbits
crane handheld still static steady tracking dolly push-in pull-out overhead aerial cinematic slow-motion timelapse
day night morning evening noon sunset sunrise dawn dusk sunny cloudy overcast rainy snowy foggy shadow shadows sunlight
moonlight lamplight spotlight glow glows shine shines reflection reflections studio indoors outdoors background
foreground spring summer autumn winter realistic cartoon style detailed beautiful pretty quiet calm dramatic
"""
)

SUFFIXES = ("s", "es", "ed", "d", "ing", "er", "est", "ly", "y", "n", "al", "ness", "less", "ful", "able")
"""Endings kept as pieces of their own, so that an unseen form of a seen word is the word plus its ending."""

CHINESE = _words(
    """
红色 橙色 橘色 黄色 绿色 蓝色 紫色 粉色 粉红 棕色 褐色 黑色 白色 灰色 银色 金色 青色 米色 彩色 深色 浅色 颜色 鲜艳 明亮 昏暗 透明 发光
木头 木质 木制 木板 木块 金属 钢铁 不锈钢 黄铜 铁质 玻璃 橡胶 塑料 石头 石质 大理石 花岗岩 混凝土 砖块 陶瓷 瓷器 纸板 布料 皮革 羊毛 棉花 丝绸
泡沫 沙子 砂石 草地 草坪 地毯 瓷砖 冰面 水面 泥土 雪地 地板 地面 桌面 台面 棋盘 格子 条纹 纹理 材质
光滑 粗糙 光亮 哑光 反光 磨砂 抛光 生锈 柔软 坚硬 圆形 方形 圆滚滚 扁平 细长 巨大 微小 沉重 轻盈 空心 实心 崭新 干净 破碎 完整 湿润 干燥
球体 小球 圆球 皮球 方块 盒子 箱子 积木 圆柱 圆柱体 圆锥 金字塔 圆盘 圆环 胶囊 管子 棍子 杆子 木棍 板子 盘子 碗 杯子 茶杯 水杯 瓶子 罐子 花瓶
水桶 锅 茶壶 勺子 叉子 刀 盖子 桶 袋子 篮子 鸡蛋 番茄 西红柿 苹果 橙子 香蕉 柠檬 梨 桃子 葡萄 草莓 樱桃 西瓜 土豆 胡萝卜 面包 蛋糕 饼干 奶酪
披萨 糖果 巧克力 米饭 牛奶 果汁 咖啡 茶 蜂蜜
桌子 椅子 书桌 长凳 凳子 沙发 床 枕头 靠垫 垫子 毯子 窗帘 台灯 灯 蜡烛 镜子 时钟 书本 书架 门 窗户 墙壁 墙 天花板 屋顶 楼梯 梯子 栅栏 大门 桥
高塔 塔 城堡 房子 房间 厨房 车库 花园 公园 街道 马路 道路 跑道 赛道 小路 隧道 山丘 高山 山谷 河流 湖泊 大海 海洋 海滩 沙滩 岛屿 森林 树木 大树
树叶 花朵 鲜花 玫瑰 仙人掌 田野 沙漠 洞穴 岩石 悬崖 瀑布 火山
天空 太阳 月亮 星星 云朵 白云 下雨 雨水 暴风雨 闪电 雾气 大风 火焰 烟雾 蒸汽 火花 气泡 泡泡 城市 小镇 村庄 建筑 大楼 商店 车站 机场 学校 医院
农场 风车 灯塔
汽车 小车 轿车 赛车 卡车 公交车 火车 电车 自行车 摩托车 小船 轮船 潜艇 飞机 直升机 火箭 气球 无人机 机器人 轮子 车轮 轮胎 发动机
人 人们 男人 女人 男孩 女孩 孩子 小孩 婴儿 国王 王后 骑士 士兵 宇航员 医生 厨师 舞者
猫 小猫 狗 小狗 马 牛 猪 羊 鸡 鸭子 鸟 小鸟 老鹰 猫头鹰 鹦鹉 企鹅 鱼 鲨鱼 鲸鱼 海豚 章鱼 螃蟹 乌龟 青蛙 蛇 蜥蜴 鳄鱼 恐龙 龙 狮子 老虎 熊
熊猫 大象 长颈鹿 猴子 大猩猩 兔子 狐狸 狼 鹿 老鼠 仓鼠 松鼠 蜜蜂 蝴蝶 蜘蛛 蚂蚁 蜗牛 独角兽 怪兽 幽灵 外星人
玩具 娃娃 风筝 鼓 吉他 钢琴 小提琴 手机 电脑 相机 电视 屏幕 键盘 锤子 钉子 剪刀 绳子 细绳 链条 弹簧 杠杆 齿轮 滑轮 磁铁 硬币 钥匙 雨伞 帽子 鞋子
衣服 裙子 手套 皇冠 旗子 宝剑 盾牌
篮球 足球 网球 棒球 高尔夫球 保龄球 台球 乒乓球 球杆 球台 母球 袋口 球框 篮筐 篮圈 篮板 篮网 球网 球门 球拍 多米诺 多米诺骨牌 骨牌 钟摆 摆球 摆锤 牛顿摆
单摆 斜坡 斜面 坡道 坡面 一堆 一排 一摞 一列 颗粒 豆子 珠子 弹珠 障碍 挡板 屏风 隔板 推杆 推块 机械臂 手臂 夹爪 手指 脑袋 脸 眼睛 头发 身体 尾巴 翅膀
运动 移动 静止 停止 停下 停住 停在 开始 结束 离开 进入 出来 出现 消失 经过 穿过 越过 滚动 滚落 滚下 滚过 滚向 滑动 滑落 滑下 滑行 弹跳 弹起 反弹 弹开 落下 下落
掉落 掉下 坠落 落地 落到 落在 投掷 投篮 投进 扔出 抛出 抛起 接住 撞击 撞上 撞到 撞倒 撞向 撞开 碰撞 相撞 击中 敲打 推动 推开 推倒 拉动 抬起 举起 放下 松开
抓住 摆动 摇摆 来回 晃动 旋转 转动 转弯 转身 翻滚 翻转 翻倒 倾斜 倒下 倒塌 坍塌 坐落 破裂 打碎 摔碎 碎裂 裂开 爆炸 溅起 洒出 倒出 倒入 倾倒 流动 流出 滴落
漂浮 沉没 飞行 飞出 飞过 飞起 跳跃 跳起 奔跑 行走 爬行 攀爬 跳舞 游泳 骑行 行驶 驾驶 加速 减速 刹车 上升 下降 落定 静置 压下 压扁 凹陷 陷入 回弹 恢复 挤压 拉伸
弯曲 扭曲 震动 融化 生长 缩小 放大 变大 变小 隐藏 遮挡 遮住 打开 关闭 切开 挥手 吃 喝 睡觉 坐下 站立 站起 微笑 大笑 唱歌 玩耍 写字 画画 做饭
快速 迅速 缓慢 慢慢 缓缓 轻轻 突然 平稳 猛烈 用力 笔直 径直 向前 向后 向上 向下 向左 向右 左边 右边 左侧 右侧 前面 后面 前方 后方 背后 上面 下面 上方 下方 之间 旁边 附近
远处 里面 外面 周围 中间 中央 中心 顶部 底部 边缘 角落 一侧 两侧 对面
首先 然后 接着 随后 最后 最终 再次 一次 两次 之前 之后 同时 直到 一起 分开 依次 先后 连续 不断 始终
许多 每个 所有 全部 另一个 其他 相同 不同 各自 彼此
镜头 画面 视角 角度 场景 视频 短片 图片 画框 特写 近景 远景 全景 俯视 仰视 航拍 推近 拉远 推进 后退 环绕 平移 摇镜 升降 手持 固定 跟拍 跟随 慢动作 延时
白天 夜晚 早晨 清晨 中午 下午 傍晚 黄昏 日落 日出 晴天 阴天 雨天 雪天 阳光 月光 灯光 聚光灯 阴影 影子 倒影 柔和 强烈 温暖 冰冷 摄影棚 室内 室外 户外 背景 前景
摇臂 暖光 半透明 光线 方格 夜空 夜里 深夜 正午 晴朗 黎明 晨光 地砖 木地板 砖地 水泥 沙地 摄像机 摄影机 影棚 抖动 轻微 微微 靠近 静态 闪亮 起伏 圆点 斑点 拍摄 升高 降低 右移 左移
继续 回来 起来 出去 路锥 锥桶 交通锥 蛋壳 蛋黄 库边 空隙 弧线 挡住 部分 大部分 高处 原来 原位 原处 原路 返回 依然 保持 凹坑 凹痕 排球 压出 压凹 压进 右转 左转 墙边
已经 滚走 滚去 落进 方向 打铁 支架 架子 稳稳 三角形 东西 位置 几乎 开口 弹进 弹出 弹回 划出 坡底 拉起 提起 拐弯 窗口 大约 接连 散开 应声 完成 速度 入网 掉出 排成 桌边 桌沿 推力
摩擦 摩擦力 摔坏 开走 细线 直行 直线 纷纷 装满 重新 悬挂 主球 瞥见 厘米 波浪 冲击 停车 力气 视野 台子 台边 行程 贴近 蹦跳 失去 平衡 升起 安然无恙 完好无损 少数 倒扣 手肘
春天 夏天 秋天 冬天 真实 写实 卡通 风格 细节 美丽 漂亮 安静 平静
"""
)

ENGLISH_FUNCTION_WORDS = _words(
    """
a an the this that these those it its it's he she they them their there here who whose which what where when how why
and or but nor so yet if then than as of in on at by for from to with without within upon about via per
is are was were be been being am do does did done has have had having will would can could may might must shall should
not no yes only just also too very more most less least much quite rather almost even still already ever never
zero one two three four five six seven eight nine ten eleven twelve
please make makes made show shows showing shown see seen seeing watch watching create generate render let lets
video videos clip clips film movie footage shot scene picture image photo
fps hz px pixel pixels second seconds sec minute minutes frame frames percent degree degrees number
"""
)
"""Words that name nothing to be seen; a prompt is never warned about them."""

CHINESE_FUNCTION_WORDS = _words(
    """
的 地 得 了 着 过 在 是 有 和 与 及 或 把 被 将 让 使 对 向 往 从 到 于 为 给 以 并 而 且 但 也 都 就 又 再 还 很 太 更 最 不 没 没有 会 能 可以 要 想
这 那 这个 那个 这些 那些 它 它们 他 她 他们 我 我们 你 其 之 所 上 下 里 中 内 外 时 后 前 个 只 颗 辆 块 张 座 面 根 条 枚 些 种 第 一 二 两 三 四 五 六
七 八 九 十 百 零 两 只有 一个 两个 三个 四个 五个 六个 几个 一只 一颗 一辆 一块 一张 一座 一面 一根 一条 一枚 一堆 两只 两颗 两块 三颗 三块
请 生成 制作 展示 显示 视频 画面 短片 镜头 场景 图片 照片 一段 一幅 一个 一些 正在 正 当 随着 然后 因为 所以 吧 呢 啊 吗
"""
)
"""The same for Chinese: particles, measure words, numerals, and words for the request itself."""
