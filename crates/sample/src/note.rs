//! Short invented notes of visits.

use crate::random::Random;

/// Notes as surveyors write them; all invented.
pub const NOTES: [&str; 72] = [
    "户主在家,精神好,屋里收拾得干净。",
    "老人耳背,问话要大声,由儿媳代答。",
    "两口子都在广东打工,电话核实。",
    "孙子上五年级,成绩不错。",
    "屋后有一处小滑坡,已拍照。",
    "厨房屋顶漏雨,等天晴补瓦。",
    "水管上个月冻裂,已经接好。",
    "家里新买了冰箱,肉随时有。",
    "户主高血压,药够吃到月底。",
    "慢病签约医生上周来过。",
    "今年种了三亩黄豆,收成一般。",
    "养了两头猪,准备过年卖一头。",
    "儿子年后准备去深圳进厂。",
    "女儿在县城读高中,住校。",
    "低保金按时到账。",
    "残疾补贴上个月没有到,需要核实。",
    "屋前水沟堵了,雨天进水。",
    "家里只有老人,儿女每周打电话。",
    "想参加村里的砌匠培训。",
    "想种茶叶,缺技术。",
    "担心娃娃读大学的学费。",
    "住院一次,报销后自己付了三千多。",
    "医保已经交了,票据看过。",
    "养老金每月领到手。",
    "户主不识字,表格由我念给他听。",
    "对帮扶人很满意,说常来看他。",
    "说帮扶人今年只来过一次。",
    "公益岗位扫地,每月八百。",
    "在合作社分红五百元。",
    "土地流转给合作社,每亩三百。",
    "自来水水压小,楼上用不上。",
    "旱季水少,要到邻居家挑水。",
    "水质检测报告贴在村部。",
    "新修的入户路已经硬化。",
    "路灯坏了一盏,老人晚上不敢出门。",
    "网络信号差,视频打不通。",
    "家里有危房一间,不住人,堆柴。",
    "搬到安置区两年,住得习惯。",
    "老屋还没有拆,说等儿子回来。",
    "门锁着,邻居说走亲戚去了。",
    "第二次上门才见到人。",
    "户主去年摔伤,干不了重活。",
    "妻子在乡上的帮扶车间做鞋。",
    "孩子两个月没有去学校,要跟老师联系。",
    "孩子由奶奶带,爸妈过年回来。",
    "家里刚添了孙女,还没有上户口。",
    "婆婆上个月过世,需要减人。",
    "分户的事情还没有商量好。",
    "新媳妇的户口还在外县。",
    "收入由他自己一笔一笔算,认可。",
    "对算出来的收入不认可,说少算了成本。",
    "小额贷款还剩两万,自己用来养羊。",
    "借了亲戚三万元盖房。",
    "苞谷被野猪吃了一大片。",
    "猪发病死了一头,没有买保险。",
    "猕猴桃今年挂果,有人上门收。",
    "杀年猪,请我们吃饭,没有吃。",
    "户主申请了残疾证,等评定。",
    "眼睛看不清,想去县医院做手术。",
    "腿脚不便,希望装扶手。",
    "厕所改好了,用得方便。",
    "还在用旱厕,愿意改。",
    "煤气灶是女儿买的。",
    "被子衣服够用,冬天有烤火炉。",
    "一个人住,村干部每天路过看一眼。",
    "说没有什么困难,不想麻烦别人。",
    "问到公示的事,说看到了。",
    "对评议结果没有意见。",
    "希望把水渠修一修。",
    "签字是户主本人签的。",
    "户主按手印,儿子在场。",
    "下个月再来看一次。",
];

/// Beginnings and endings of the notes that [`numbered_note`] puts together.
const BEGINNINGS: [&str; 25] = [
    "户主在家",
    "老人在家",
    "只有孩子在家",
    "全家都在",
    "户主下地去了",
    "电话核实",
    "第二次上门",
    "邻居代为转告",
    "在村部见面",
    "在地里见面",
    "屋里干净",
    "屋里有点乱",
    "身体还好",
    "身体不如去年",
    "收入比去年多",
    "收入比去年少",
    "刚从医院回来",
    "刚从外地回来",
    "明天外出打工",
    "家里来了客人",
    "正在修屋",
    "正在收黄豆",
    "正在喂猪",
    "娃娃放假在家",
    "情况没有变化",
];
const ENDINGS: [&str; 14] = [
    "问题不大。",
    "下次再核一遍。",
    "资料都看过了。",
    "照片已拍。",
    "需要乡里帮忙。",
    "已经告诉村干部。",
    "自己能解决。",
    "等儿子回来再说。",
    "想找点活干。",
    "药要按时吃。",
    "水电都正常。",
    "房子没有问题。",
    "政策都晓得。",
    "签字确认。",
];

/// How many different notes [`numbered_note`] gives.
pub const NUMBERED_NOTES: u64 = 350;

/// One of 350 different notes; numbers beyond the last start again.
pub fn numbered_note(number: u64) -> String {
    let number = usize::try_from(number % NUMBERED_NOTES).unwrap_or(0);
    let beginning = BEGINNINGS.get(number / ENDINGS.len()).copied().unwrap_or_default();
    let ending = ENDINGS.get(number % ENDINGS.len()).copied().unwrap_or_default();
    format!("{beginning},{ending}")
}

/// A note that hardly ever comes twice: a sentence with an amount, a day and a place in it.
pub fn distinct_note(random: &mut Random) -> String {
    let day = random.between(1, 28);
    let month = random.between(1, 12);
    let yuan = random.between(11, 980) * 10;
    let subject = random.pick(&[
        "买化肥",
        "看病",
        "娃娃学费",
        "修屋顶",
        "请工",
        "卖黄豆",
        "卖猪",
        "走人情",
        "交电费",
        "买种子",
    ]);
    let beginning = random.pick(&BEGINNINGS);
    let ending = random.pick(&ENDINGS);
    format!("{beginning},{month}月{day}日{subject}{yuan}元,{ending}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{NOTES, NUMBERED_NOTES, distinct_note, numbered_note};
    use crate::random::Random;

    #[test]
    fn no_note_comes_twice_and_all_are_short() {
        let notes: BTreeSet<&str> = NOTES.into_iter().collect();
        assert_eq!(notes.len(), NOTES.len());
        assert!(notes.iter().all(|note| (6..=40).contains(&note.chars().count())));
    }

    #[test]
    fn there_are_350_numbered_notes() {
        let notes: BTreeSet<String> = (0..NUMBERED_NOTES).map(numbered_note).collect();
        assert_eq!(notes.len(), 350);
        assert_eq!(numbered_note(NUMBERED_NOTES), numbered_note(0));
    }

    #[test]
    fn distinct_notes_differ() {
        let mut random = Random::new(4);
        let notes: BTreeSet<String> = (0..1_000).map(|_| distinct_note(&mut random)).collect();
        assert!(notes.len() > 995);
    }
}
