//! A roster with broken rows.

use super::{Scene, tell};
use crate::world::village_of;

/// A line of a CSV file whose cells are all in quotes.
fn cells(line: &str) -> Vec<String> {
    let inside = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap();
    inside.split("\",\"").map(str::to_owned).collect()
}

#[test]
fn broken_rows_of_a_roster_are_named_by_line_and_left_out_and_the_rest_is_imported() {
    let scene = Scene::new();
    let village = village_of(1, 8);
    let people: usize = village.households.iter().map(|household| household.members.len()).sum();
    let regions = scene.world.path("more-regions.csv");
    std::fs::write(&regions, format!("code,name\n{},{}\n", village.code, village.name)).unwrap();
    scene.world.operate(&["regions", "import", &regions.to_string_lossy()]);

    let roster = ruhu_sample::roster_csv(&village);
    let mut lines: Vec<Vec<String>> = roster.lines().map(cells).collect();
    let column = |name: &str| lines[2].iter().position(|heading| heading == name).unwrap();
    let (number, name, certificate) = (column("户编号"), column("姓名"), column("证件号码"));
    let health = column("健康状况");
    let mut left_out = Vec::new();
    for (line, place, broken) in [
        (5, certificate, "439901197603150011".to_owned()),
        (7, name, String::new()),
        (9, number, String::new()),
        (11, certificate, lines[9][certificate].clone()),
        (13, certificate, "12345".to_owned()),
    ] {
        left_out.push(lines[line - 1][name].clone());
        lines[line - 1][place] = broken;
    }
    lines[3][health] = "还行".to_owned();
    let broken: String = lines.iter().map(|line| format!("\"{}\"\n", line.join("\",\""))).collect();
    let file = scene.world.path("broken.csv");
    std::fs::write(&file, broken).unwrap();

    let arguments = ["roster", "import", &*file.to_string_lossy(), "--village", &village.code];
    let preview = scene.world.operate(&[&arguments[..], &["--preview"]].concat());
    assert_eq!(scene.count("SELECT count(*) FROM roster_household"), 3, "a preview writes nothing");
    let said = scene.world.operate(&arguments);
    tell("a roster with broken rows", &said);
    for line in [5, 7, 9, 11, 13] {
        assert!(said.contains(&format!("line {line} left out: ")), "{said}");
        assert!(preview.contains(&format!("line {line} left out: ")), "{preview}");
    }
    assert!(said.contains("5 bad rows left out"), "{said}");
    assert!(said.contains("the same 证件号码 stands in line 10"), "{said}");
    assert!(
        said.contains("line 4: 健康状况: not one of the known labels; the row is imported without it"),
        "{said}"
    );
    assert!(!said.contains("4399"), "no number of anybody is printed: {said}");

    let reader = scene.world.enrol("孙磊", "work_team", &village.code);
    reader.sync();
    let imported: u64 = reader
        .json(&["list", "--limit", "1000"])
        .as_array()
        .unwrap()
        .iter()
        .map(|household| household["members"].as_u64().unwrap())
        .sum();
    assert_eq!(imported, u64::try_from(people).unwrap() - 5);
    scene.honest_work_goes_on();
    let again = scene.world.operate(&arguments);
    assert!(again.contains("0 households new, 0 changed"), "{again}");
    scene.verifies();
}
