//! `ruhu edit`, `found`, `add-member` and `end-member`: writing into the register outside a visit.

use std::collections::BTreeMap;

use ruhu_client_core::{Client, Edit};
use ruhu_survey::field_table::Source;
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use serde_json::json;

use crate::arguments::{self, AddMember, EndMember, Found, Person};
use crate::failure::Failure;
use crate::output::Output;
use crate::pick;

pub(super) fn field(client: &mut Client, asked: &arguments::Edit, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    let because = Because { source: source(asked.source.as_deref())?, reason: asked.reason.clone() };
    let edit = Edit { key: asked.field.clone(), input: Input::Text(asked.value.clone()), because };
    client.edit_household(household, &[edit])?;
    output.say("ruhu_saved", &[]);
    output.json(&json!({ "saved": asked.field }));
    Ok(())
}

/// The source of a code that was typed.
pub(super) fn source(code: Option<&str>) -> Result<Option<Source>, Failure> {
    let read = |code: &str| Source::from_code(code).ok_or_else(|| Failure::Unknown(code.to_owned()));
    code.map(read).transpose()
}

pub(super) fn found(client: &mut Client, asked: &Found, output: &Output) -> Result<(), Failure> {
    let village = pick::village(client, &asked.place)?;
    let household = NewHousehold { group_name: asked.group.clone(), address: None, phone: None };
    let fields = BTreeMap::from([("relation_to_head".to_owned(), "head".to_owned())]);
    let id = client.new_household(village.id, &household, &[member(&asked.head, fields)])?;
    output.say("ruhu_founded", &[("household", &id)]);
    output.json(&json!({ "household": id }));
    Ok(())
}

fn member(person: &Person, fields: BTreeMap<String, String>) -> NewMember {
    NewMember { full_name: person.name.clone(), cert_no: person.certificate.clone(), fields, source: None }
}

pub(super) fn add_member(client: &mut Client, asked: &AddMember, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    let fields =
        [("relation_to_head", &asked.relation), ("joined_on", &asked.on), ("join_reason", &asked.reason)];
    let fields = fields.map(|(name, text)| (name.to_owned(), text.clone()));
    let id = client.add_member(household, &member(&asked.person, BTreeMap::from(fields)))?;
    output.say("ruhu_member_added", &[("member", &id)]);
    output.json(&json!({ "member": id }));
    Ok(())
}

pub(super) fn end_member(client: &mut Client, asked: &EndMember, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    client.end_member(household, &asked.member, &asked.on, &asked.reason, &Because::default())?;
    output.say("ruhu_saved", &[]);
    output.json(&json!({ "member": asked.member, "left_on": asked.on }));
    Ok(())
}
