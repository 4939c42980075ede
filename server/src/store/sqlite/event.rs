//! The field events of a document as canonical binary, packed, for its column.

use std::io::Read as _;

use ruhu_survey::change::{ActorId, ChangeHash, OpId, Value};
use ruhu_survey::codec::{CodecError, Reader, Writer};
use ruhu_survey::field_table::Source;
use ruhu_survey::history::{Attribution, Fate, FieldEvent};
use ruhu_survey::id::{DeviceId, UserId};
use ruhu_survey::limits::{KEY_BYTES_MAX, PREDECESSORS_MAX, VALUE_BYTES_MAX};

/// Operations that one event may name as concurrent: as many as a document may have of one key.
const CONCURRENT_MAX: usize = ruhu_survey::limits::CHANGES_PER_DOCUMENT_MAX;

/// How tightly a history is packed: it is written whenever its document changes.
const LEVEL: i32 = 3;
/// Bytes that a packed history may unpack to; several times what a document of the most changes has.
const HISTORY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// All events of one document, oldest first. What they repeat, batches and people and keys, packs to little.
pub(super) fn pack(events: &[FieldEvent]) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::new();
    writer.varint(events.len() as u64);
    for event in events {
        writer.bytes(&encode(event));
    }
    zstd::bulk::compress(&writer.finish(), LEVEL)
}

/// What [`pack`] packed.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<FieldEvent>, CodecError> {
    let damaged = |_| CodecError::Unknown("packed history");
    let mut bytes = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(damaged)?;
    decoder.take(HISTORY_BYTES_MAX).read_to_end(&mut bytes).map_err(damaged)?;
    let mut reader = Reader::new(&bytes);
    let count = reader.count("events", bytes.len())?;
    let one = |_| decode(reader.bytes("event", bytes.len())?);
    let events = (0..count).map(one).collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(events)
}

fn encode(event: &FieldEvent) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.text(&event.key).raw(&event.change.0).i64(event.claimed_at);
    write_op(&mut writer, event.op);
    write_attribution(&mut writer, &event.by);
    writer.varint(event.old.len() as u64);
    for (op, value) in &event.old {
        write_op(&mut writer, *op);
        write_value(&mut writer, value);
    }
    write_value(&mut writer, &event.new);
    write_text(&mut writer, event.reason.as_deref());
    write_text(&mut writer, event.source.map(Source::code));
    writer.varint(event.concurrent_with.len() as u64);
    event.concurrent_with.iter().for_each(|op| write_op(&mut writer, *op));
    write_fate(&mut writer, event.fate);
    for flag in [event.shown_after, event.settles, event.outside_window] {
        writer.u8(u8::from(flag));
    }
    writer.finish()
}

fn decode(bytes: &[u8]) -> Result<FieldEvent, CodecError> {
    let mut reader = Reader::new(bytes);
    let key = reader.text("key", KEY_BYTES_MAX)?.to_owned();
    let change = ChangeHash(reader.array()?);
    let claimed_at = reader.i64()?;
    let op = read_op(&mut reader)?;
    let by = read_attribution(&mut reader)?;
    let old = (0..reader.count("old values", PREDECESSORS_MAX)?)
        .map(|_| Ok((read_op(&mut reader)?, read_value(&mut reader)?)))
        .collect::<Result<_, CodecError>>()?;
    let new = read_value(&mut reader)?;
    let reason = read_text(&mut reader)?;
    let source = read_text(&mut reader)?
        .map(|code| Source::from_code(&code).ok_or(CodecError::Unknown("source")))
        .transpose()?;
    let concurrent_with = (0..reader.count("concurrent operations", CONCURRENT_MAX)?)
        .map(|_| read_op(&mut reader))
        .collect::<Result<_, CodecError>>()?;
    let fate = read_fate(&mut reader)?;
    let shown_after = read_flag(&mut reader)?;
    let settles = read_flag(&mut reader)?;
    let outside_window = read_flag(&mut reader)?;
    reader.end()?;
    Ok(FieldEvent {
        key,
        op,
        change,
        by,
        claimed_at,
        old,
        new,
        reason,
        source,
        concurrent_with,
        shown_after,
        fate,
        settles,
        outside_window,
    })
}

fn write_op(writer: &mut Writer, op: OpId) {
    writer.varint(op.counter).raw(&op.actor.0);
}

fn read_op(reader: &mut Reader<'_>) -> Result<OpId, CodecError> {
    Ok(OpId { counter: reader.varint()?, actor: ActorId(reader.array()?) })
}

fn write_attribution(writer: &mut Writer, by: &Attribution) {
    writer.raw(by.device.as_bytes()).raw(by.user.as_bytes()).raw(&by.batch);
    for time_ms in [by.not_before_ms, by.not_after_ms] {
        match time_ms {
            None => writer.u8(0),
            Some(time_ms) => writer.u8(1).i64(time_ms),
        };
    }
}

fn read_attribution(reader: &mut Reader<'_>) -> Result<Attribution, CodecError> {
    let time = |reader: &mut Reader<'_>| Ok(if read_flag(reader)? { Some(reader.i64()?) } else { None });
    Ok(Attribution {
        device: DeviceId::from_bytes(reader.array()?),
        user: UserId::from_bytes(reader.array()?),
        batch: reader.array()?,
        not_before_ms: time(reader)?,
        not_after_ms: time(reader)?,
    })
}

fn write_value(writer: &mut Writer, value: &Value) {
    match value {
        Value::Null => writer.u8(0),
        Value::Bool(value) => writer.u8(1).u8(u8::from(*value)),
        Value::Int(value) => writer.u8(2).i64(*value),
        Value::Text(value) => writer.u8(3).text(value),
        Value::Bytes(value) => writer.u8(4).bytes(value),
    };
}

fn read_value(reader: &mut Reader<'_>) -> Result<Value, CodecError> {
    Ok(match reader.u8()? {
        0 => Value::Null,
        1 => Value::Bool(read_flag(reader)?),
        2 => Value::Int(reader.i64()?),
        3 => Value::Text(reader.text("text", VALUE_BYTES_MAX)?.to_owned()),
        4 => Value::Bytes(reader.bytes("sealed value", VALUE_BYTES_MAX)?.to_vec()),
        _ => return Err(CodecError::Unknown("value")),
    })
}

fn write_text(writer: &mut Writer, text: Option<&str>) {
    match text {
        None => writer.u8(0),
        Some(text) => writer.u8(1).text(text),
    };
}

fn read_text(reader: &mut Reader<'_>) -> Result<Option<String>, CodecError> {
    Ok(if read_flag(reader)? { Some(reader.text("text", VALUE_BYTES_MAX)?.to_owned()) } else { None })
}

fn write_fate(writer: &mut Writer, fate: Fate) {
    match fate {
        Fate::Shown => writer.u8(0),
        Fate::Beside => writer.u8(1),
        Fate::Replaced { by } => writer.u8(2).raw(&by.0),
        Fate::SettledAway { by } => writer.u8(3).raw(&by.0),
    };
}

fn read_fate(reader: &mut Reader<'_>) -> Result<Fate, CodecError> {
    Ok(match reader.u8()? {
        0 => Fate::Shown,
        1 => Fate::Beside,
        2 => Fate::Replaced { by: ChangeHash(reader.array()?) },
        3 => Fate::SettledAway { by: ChangeHash(reader.array()?) },
        _ => return Err(CodecError::Unknown("fate")),
    })
}

fn read_flag(reader: &mut Reader<'_>) -> Result<bool, CodecError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(CodecError::Unknown("flag")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn op() -> impl Strategy<Value = OpId> {
        (any::<u64>(), any::<[u8; 16]>()).prop_map(|(counter, actor)| OpId { counter, actor: ActorId(actor) })
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            ".{0,20}".prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
        ]
    }

    fn fate() -> impl Strategy<Value = Fate> {
        let by = any::<[u8; 32]>().prop_map(ChangeHash);
        prop_oneof![
            Just(Fate::Shown),
            Just(Fate::Beside),
            by.clone().prop_map(|by| Fate::Replaced { by }),
            by.prop_map(|by| Fate::SettledAway { by }),
        ]
    }

    fn attribution() -> impl Strategy<Value = Attribution> {
        let ids = any::<([u8; 16], [u8; 16], [u8; 32])>();
        (ids, any::<Option<i64>>(), any::<Option<i64>>()).prop_map(
            |((device, user, batch), before, after)| Attribution {
                device: DeviceId::from_bytes(device),
                user: UserId::from_bytes(user),
                batch,
                not_before_ms: before,
                not_after_ms: after,
            },
        )
    }

    prop_compose! {
        fn event()(
            key in ".{1,30}", op in op(), change: [u8; 32], by in attribution(), claimed_at: i64,
            old in proptest::collection::vec((op(), value()), 0..4), new in value(),
            reason: Option<String>, source in proptest::option::of(0..Source::ALL.len()),
            concurrent_with in proptest::collection::vec(self::op(), 0..4),
            (fate, shown_after, settles, outside_window) in (fate(), any::<bool>(), any::<bool>(), any::<bool>()),
        ) -> FieldEvent {
            let (change, source) = (ChangeHash(change), source.map(|index| Source::ALL[index]));
            FieldEvent {
                key, op, change, by, claimed_at, old, new, reason, source, concurrent_with, shown_after, fate,
                settles, outside_window,
            }
        }
    }

    proptest! {
        #[test]
        fn an_event_reads_back_as_it_was(event in event()) {
            prop_assert_eq!(decode(&encode(&event)), Ok(event));
        }
    }

    proptest! {
        #[test]
        fn a_history_reads_back_as_it_was_and_a_cut_one_does_not(
            events in proptest::collection::vec(event(), 0..6), cut in any::<proptest::sample::Index>(),
        ) {
            let packed = pack(&events).unwrap();
            prop_assert_eq!(unpack(&packed), Ok(events));
            prop_assert!(unpack(packed.split_at(cut.index(packed.len())).0).is_err());
        }
    }

    #[test]
    fn a_cut_event_is_refused() {
        assert!(decode(&[]).is_err());
    }
}
