//! Invented names: common surnames with the clan effect of villages, and given names put together from our own list.

use crate::household::Sex;
use crate::parameters::VillageShares;
use crate::random::Random;

/// Surnames and their rough share; the first ten as in the figures, the rest by rank.
const SURNAMES: [(&str, f64); 45] = [
    ("李", 0.085),
    ("刘", 0.065),
    ("王", 0.060),
    ("张", 0.060),
    ("陈", 0.055),
    ("杨", 0.040),
    ("黄", 0.040),
    ("周", 0.035),
    ("彭", 0.030),
    ("唐", 0.025),
    ("吴", 0.020),
    ("赵", 0.020),
    ("罗", 0.018),
    ("向", 0.018),
    ("田", 0.018),
    ("覃", 0.016),
    ("卓", 0.012),
    ("邓", 0.015),
    ("肖", 0.015),
    ("谢", 0.014),
    ("何", 0.014),
    ("胡", 0.014),
    ("曾", 0.013),
    ("朱", 0.012),
    ("徐", 0.012),
    ("孙", 0.011),
    ("郭", 0.011),
    ("高", 0.010),
    ("林", 0.010),
    ("郑", 0.010),
    ("梁", 0.010),
    ("马", 0.009),
    ("袁", 0.009),
    ("谭", 0.009),
    ("龚", 0.008),
    ("莫", 0.007),
    ("熊", 0.007),
    ("庹", 0.006),
    ("宋", 0.006),
    ("夏", 0.006),
    ("欧阳", 0.004),
    ("满", 0.004),
    ("汤", 0.004),
    ("柳", 0.004),
    ("于", 0.004),
];

/// Characters of given names by generation and sex.
const OLD_MALE: &str = "德福贵财明国建金银生发祥顺宝青林松柏清泉大志友仁义先启绍传光万家";
const OLD_FEMALE: &str = "秀英兰桂香珍玉菊春凤莲翠云梅芝淑芬娥贞银满冬月腊芳菊巧姑";
const MIDDLE_MALE: &str = "建军华强勇伟斌辉平刚波峰海涛东新民兵红卫文武志宏立国庆学军江龙";
const MIDDLE_FEMALE: &str = "丽红霞艳萍燕玲娟芳敏静群英莉琴云琼慧晓春梅蓉华彩凤小满美翠";
const YOUNG_MALE: &str = "宇轩浩然子涵俊杰博文梓睿泽铭瑞晨阳嘉豪一诺天佑思远皓航乐辰逸";
const YOUNG_FEMALE: &str = "欣怡梓涵诗雨佳琪思彤语嫣可馨雅雯紫萱梦瑶依诺子涵一诺心悦若曦";

/// The surnames of one village.
#[derive(Debug)]
pub(crate) struct Surnames {
    clans: Vec<&'static str>,
    clan_share: f64,
}

impl Surnames {
    /// Draws the surnames that dominate a village.
    pub(crate) fn of_village(random: &mut Random, shares: &VillageShares) -> Self {
        let mut clans = Vec::new();
        while clans.len() < shares.clan_surnames.min(SURNAMES.len()) {
            let surname = random.weighted(&SURNAMES);
            if !clans.contains(&surname) {
                clans.push(surname);
            }
        }
        Self { clans, clan_share: shares.clan_share }
    }

    /// The surname of a household.
    pub(crate) fn of_household(&self, random: &mut Random) -> &'static str {
        if random.chance(self.clan_share) { random.pick(&self.clans) } else { random.weighted(&SURNAMES) }
    }

    /// The surname of somebody who married into the village.
    pub(crate) fn of_incomer(random: &mut Random) -> &'static str {
        random.weighted(&SURNAMES)
    }
}

/// A given name of one or two characters, as parents of that time liked them.
pub(crate) fn given_name(random: &mut Random, sex: Sex, birth_year: i64) -> String {
    let characters = match (sex, birth_year) {
        (Sex::Male, ..1965) => OLD_MALE,
        (Sex::Male, ..2000) => MIDDLE_MALE,
        (Sex::Male, _) => YOUNG_MALE,
        (Sex::Female, ..1965) => OLD_FEMALE,
        (Sex::Female, ..2000) => MIDDLE_FEMALE,
        (Sex::Female, _) => YOUNG_FEMALE,
    };
    let characters: Vec<char> = characters.chars().collect();
    let length = if random.chance(0.82) { 2 } else { 1 };
    (0..length).map(|_| random.pick(&characters)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Surnames, given_name};
    use crate::household::Sex;
    use crate::parameters::Parameters;
    use crate::random::Random;

    #[test]
    fn three_surnames_dominate_a_village() {
        let mut random = Random::new(7);
        let surnames = Surnames::of_village(&mut random, &Parameters::bundled().village);
        let mut counts = BTreeMap::<&str, u32>::new();
        for _ in 0..5_000 {
            *counts.entry(surnames.of_household(&mut random)).or_default() += 1;
        }
        let mut counts: Vec<u32> = counts.into_values().collect();
        counts.sort_unstable();
        let top: u32 = counts.iter().rev().take(3).sum();
        assert!((3_200..4_100).contains(&top), "{top}");
    }

    #[test]
    fn given_names_have_one_or_two_characters() {
        let mut random = Random::new(8);
        for year in [1940, 1975, 2015] {
            for sex in [Sex::Male, Sex::Female] {
                let name = given_name(&mut random, sex, year);
                assert!((1..=2).contains(&name.chars().count()), "{name}");
            }
        }
    }
}
