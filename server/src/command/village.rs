//! `ruhu-server village list`.

use std::collections::BTreeSet;

use ruhu_survey::message::say;

use super::{CommandError, Context, table};
use crate::config::Settings;
use crate::store::people::PlaceStore as _;

pub(super) fn list(context: &mut Context<'_>, region: Option<String>) -> Result<(), CommandError> {
    let config = context.config(Settings::default())?;
    let (store, _) = context.open(&config)?;
    // Every code begins with the empty text.
    let villages = store.villages_in(&BTreeSet::from([region.unwrap_or_default()]))?;
    let lang = context.lang;
    let mut table = table(&[
        say(lang, "server_head_code", &[]),
        say(lang, "server_head_village", &[]),
        say(lang, "server_head_id", &[]),
    ]);
    for village in &villages {
        let ended =
            village.valid_until.as_ref().map(|date| say(lang, "server_village_ended", &[("date", date)]));
        let name = format!("{}{}", village.name, ended.unwrap_or_default());
        table.add_row([village.code.clone(), name, village.id.to_string()]);
    }
    context.print(table)?;
    context.say("server_villages_count", &[("count", &villages.len())])
}
