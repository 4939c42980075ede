//! The national sheet of persons (家庭成员花名册): 32 columns, two title rows, the header on row 3, one row a person.

use ruhu_survey::code_list::code;

use crate::household::{Code, SampleHousehold, SampleMember, SampleVillage};

/// Column titles in the sheet's order.
pub const ROSTER_COLUMNS: [&str; 32] = [
    "序号",
    "数据日期",
    "县(市、区、旗)",
    "乡(镇)",
    "行政村",
    "自然村",
    "户编号",
    "人编号",
    "姓名",
    "证件号码",
    "人数",
    "与户主关系",
    "民族",
    "文化程度",
    "在校生状况",
    "健康状况",
    "劳动技能",
    "务工时间（月）",
    "是否参加大病保险",
    "致贫原因1",
    "危房户",
    "是否解决安全饮用水",
    "人均纯收入",
    "户联系电话",
    "人联系电话",
    "首次识别时间",
    "人员识别时间",
    "户类型",
    "易返贫致贫户(监测对象)类型",
    "风险是否消除",
    "风险识别时间",
    "风险消除时间",
];

/// The sheet of one village as CSV (RFC 4180, UTF-8 without a mark, lines end in LF).
///
/// Every cell is text in quotes, so that no reader takes an 18-digit number for a number, and every row has all 32
/// cells. The address of a household is not part of the sheet.
pub fn roster_csv(village: &SampleVillage) -> String {
    let mut sheet = String::new();
    push_row(
        &mut sheet,
        &title(format!("{}{}防返贫监测家庭成员信息表(虚构样例)", village.county, village.name)),
    );
    push_row(&mut sheet, &title(format!("导出日期:{} 所有人员均为虚构", village.on)));
    push_row(&mut sheet, &ROSTER_COLUMNS.map(str::to_owned));
    let people =
        village.households.iter().flat_map(|household| household.members.iter().map(move |m| (household, m)));
    for (index, (household, member)) in people.enumerate() {
        push_row(&mut sheet, &row(index + 1, village, household, member));
    }
    sheet
}

fn title(text: String) -> [String; 32] {
    let mut cells: [String; 32] = Default::default();
    if let Some(first) = cells.first_mut() {
        *first = text;
    }
    cells
}

fn row(
    number: usize,
    village: &SampleVillage,
    household: &SampleHousehold,
    member: &SampleMember,
) -> [String; 32] {
    let monitor = household.monitor.as_ref();
    let months = member.work.as_ref().map(|work| work.months).filter(|months| *months > 0);
    [
        number.to_string(),
        village.on.to_string(),
        village.county.clone(),
        village.township.clone(),
        village.name.clone(),
        household.group.clone(),
        household.national_no.clone(),
        member.national_no.clone(),
        member.full_name.clone(),
        member.certificate_no.clone(),
        household.members.len().to_string(),
        zh("relation_to_head", member.relation_to_head),
        zh("ethnicity", member.ethnicity),
        optional("education_level", member.education_level),
        optional("in_school_status", member.in_school_status),
        health(member),
        zh("labour_ability", member.labour_ability),
        months.map(|months| months.to_string()).unwrap_or_default(),
        yes_or_no(member.basic_medical == "resident"),
        optional("poverty_cause", household.main_cause),
        yes_or_no(matches!(household.housing.grade, "c" | "d")),
        yes_or_no(household.water.is_safe()),
        yuan(household.per_capita_net_income_fen()),
        household.phone.clone().unwrap_or_default(),
        member.phone.clone().unwrap_or_default(),
        household.registered_month.clone().unwrap_or_default(),
        household.registered_month.clone().unwrap_or_default(),
        zh("household_type", household.household_type),
        optional("monitor_category", monitor.map(|monitor| monitor.category)),
        monitor.map(|monitor| yes_or_no(monitor.eliminated_month.is_some())).unwrap_or_default(),
        monitor.map(|monitor| monitor.identified_month.clone()).unwrap_or_default(),
        monitor.and_then(|monitor| monitor.eliminated_month.clone()).unwrap_or_default(),
    ]
}

fn push_row(sheet: &mut String, cells: &[String; 32]) {
    for (index, cell) in cells.iter().enumerate() {
        sheet.push_str(if index == 0 { "\"" } else { ",\"" });
        sheet.push_str(&cell.replace('"', "\"\""));
        sheet.push('"');
    }
    sheet.push('\n');
}

/// Several states of health are joined the way the national sheet does.
fn health(member: &SampleMember) -> String {
    member.health.iter().map(|value| zh("health_status", value)).collect::<Vec<_>>().join(",")
}

fn optional(list: &str, value: Option<Code>) -> String {
    value.map(|value| zh(list, value)).unwrap_or_default()
}

fn zh(list: &str, value: &str) -> String {
    code(list, value).map(|entry| entry.zh.clone()).unwrap_or_default()
}

fn yes_or_no(value: bool) -> String {
    if value { "是" } else { "否" }.to_owned()
}

fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use super::{ROSTER_COLUMNS, roster_csv};
    use crate::date::Date;
    use crate::parameters::Parameters;
    use crate::village::{VillageRequest, village};

    fn cells(line: &str) -> Vec<&str> {
        line[1..line.len() - 1].split("\",\"").collect()
    }

    #[test]
    fn the_sheet_has_two_title_rows_a_header_and_a_row_for_each_person() {
        let request = VillageRequest { seed: 5, ordinal: 2, households: 40, on: Date::new(2024, 5, 1) };
        let village = village(&request, Parameters::bundled());
        let sheet = roster_csv(&village);
        let lines: Vec<&str> = sheet.lines().collect();
        let people: usize = village.households.iter().map(|household| household.members.len()).sum();
        assert_eq!(lines.len(), 3 + people);
        assert_eq!(cells(lines[2]), ROSTER_COLUMNS);
        for line in &lines[3..] {
            let cells = cells(line);
            assert_eq!(cells.len(), 32);
            for filled in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 18, 20, 21, 22, 27] {
                assert!(!cells[filled].is_empty(), "{} is empty in {line}", ROSTER_COLUMNS[filled]);
            }
            assert_ne!(
                cells[13].is_empty(),
                cells[14].is_empty(),
                "schooling or school status, not both: {line}"
            );
        }
    }

    #[test]
    fn the_first_person_of_the_sheet_is_a_head_of_household() {
        let request = VillageRequest { seed: 5, ordinal: 2, households: 1, on: Date::new(2024, 5, 1) };
        let sheet = roster_csv(&village(&request, Parameters::bundled()));
        let first = sheet.lines().nth(3).map(cells).unwrap();
        assert_eq!(first[11], "户主");
        assert_eq!(first[6], "4308210000200001");
        assert!(first[9].starts_with("439902"));
    }

    #[test]
    fn a_quote_in_a_name_does_not_break_the_row() {
        let request = VillageRequest { seed: 5, ordinal: 2, households: 1, on: Date::new(2024, 5, 1) };
        let mut village = village(&request, Parameters::bundled());
        village.name = "甲\"乙,丙".to_owned();
        assert!(roster_csv(&village).contains("\"甲\"\"乙,丙\""));
    }
}
