//! The zstd stream that the batches of one body share.

use std::fmt;

use ruhu_survey::codec::{Reader, Writer};
use ruhu_survey::replay::{Sender, Tables, spell};
use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use super::dictionary::{NEWEST_DICTIONARY, NO_DICTIONARY, content, prime};
use super::header::HeaderMemory;
use super::receipt::ReceiptMemory;
use super::{NotWritten, REPLAY_BYTES_MAX, ReplayBatch, ReplayError, ReplayHeader, StreamStart};
use crate::batch::{BatchBody, BatchHeader};
use crate::receipt::SignedReceipt;
use crate::signature::Signature;

const COMPRESSION_LEVEL: i32 = 19;
/// 2^18 bytes: a body's batches inflate to about that much. It also bounds what a reader sets aside.
const WINDOW_LOG: u32 = 18;
/// Bytes that are asked for at a time.
const STEP: usize = 16 * 1024;

/// Writes the batches of one body.
pub struct ReplayWriter {
    encoder: Encoder<'static>,
    tables: Tables,
    headers: HeaderMemory,
    receipts: ReceiptMemory,
    dictionary: u8,
    begun: bool,
}

impl fmt::Debug for ReplayWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayWriter").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl ReplayWriter {
    /// A stream at its beginning.
    ///
    /// # Errors
    /// [`NotWritten::Deflate`] for want of memory.
    pub fn new(start: &StreamStart) -> Result<Self, NotWritten> {
        let failed = |_| NotWritten::Deflate;
        let newest = content(NEWEST_DICTIONARY).zip(prime(NEWEST_DICTIONARY, start.device));
        let dictionary = if newest.is_some() { NEWEST_DICTIONARY } else { NO_DICTIONARY };
        let (content, tables) = newest.unwrap_or_else(|| (&[], Tables::new(start.device)));
        let mut encoder = Encoder::with_dictionary(COMPRESSION_LEVEL, content).map_err(failed)?;
        let sizes =
            [CParameter::WindowLog(WINDOW_LOG), CParameter::ChainLog(WINDOW_LOG), CParameter::HashLog(17)];
        for size in sizes {
            encoder.set_parameter(size).map_err(failed)?;
        }
        Ok(Self {
            encoder,
            tables,
            headers: HeaderMemory::new(start),
            receipts: ReceiptMemory::new(start),
            dictionary,
            begun: false,
        })
    }

    /// The next batch, with the receipt where it is relayed. After an error the stream stands as before it,
    /// unless the compressor failed.
    ///
    /// # Errors
    /// [`NotWritten`]: the batch has to travel raw.
    pub fn batch(
        &mut self,
        header: &BatchHeader,
        signature: &Signature,
        body: &BatchBody,
        receipt: Option<&SignedReceipt>,
        sender: &dyn Sender,
    ) -> Result<Vec<u8>, NotWritten> {
        let spelling = spell(header.device, header.village, &body.openings, &body.changes, sender)?;
        let (mut tables, mut headers, mut receipts) =
            (self.tables.clone(), self.headers.clone(), self.receipts.clone());
        let mut writer = Writer::new();
        headers.write(&ReplayHeader::of(header), &mut tables, &mut writer);
        writer.raw(&signature.0);
        if let Some(receipt) = receipt {
            receipts.write(receipt, &mut writer);
        }
        writer.raw(&tables.write(&spelling));
        let bytes = writer.finish();
        if bytes.len() > REPLAY_BYTES_MAX {
            return Err(NotWritten::TooLong(bytes.len()));
        }
        let mut payload = if self.begun { Vec::new() } else { vec![self.dictionary] };
        deflate(&mut self.encoder, &bytes, &mut payload).map_err(|_| NotWritten::Deflate)?;
        (self.tables, self.headers, self.receipts, self.begun) = (tables, headers, receipts, true);
        Ok(payload)
    }
}

/// Compresses `bytes` and flushes.
fn deflate(encoder: &mut Encoder<'_>, bytes: &[u8], payload: &mut Vec<u8>) -> std::io::Result<()> {
    let mut step = vec![0; STEP];
    let mut input = InBuffer::around(bytes);
    while input.pos() < bytes.len() {
        let mut output = OutBuffer::around(&mut step);
        encoder.run(&mut input, &mut output)?;
        payload.extend_from_slice(output.as_slice());
    }
    loop {
        let mut output = OutBuffer::around(&mut step);
        let left = encoder.flush(&mut output)?;
        payload.extend_from_slice(output.as_slice());
        if left == 0 {
            return Ok(());
        }
    }
}

/// Reads the batches of one body.
pub struct ReplayReader {
    start: StreamStart,
    opened: Option<OpenedStream>,
    damaged: bool,
}

struct OpenedStream {
    decoder: Decoder<'static>,
    tables: Tables,
    headers: HeaderMemory,
    receipts: ReceiptMemory,
}

impl fmt::Debug for ReplayReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayReader").field("damaged", &self.damaged).finish_non_exhaustive()
    }
}

impl ReplayReader {
    /// A stream of which nothing was read.
    #[must_use]
    pub const fn new(start: StreamStart) -> Self {
        Self { start, opened: None, damaged: false }
    }

    /// The next batch; `relayed` batches have their receipt with them.
    ///
    /// # Errors
    /// [`ReplayError`]; every later call fails too, for what follows stands on what was lost.
    pub fn batch(&mut self, payload: &[u8], relayed: bool) -> Result<ReplayBatch, ReplayError> {
        if self.damaged {
            return Err(ReplayError::Damaged);
        }
        self.next(payload, relayed).inspect_err(|_| self.damaged = true)
    }

    fn next(&mut self, payload: &[u8], relayed: bool) -> Result<ReplayBatch, ReplayError> {
        let mut payload = payload;
        let stream = match &mut self.opened {
            Some(stream) => stream,
            None => {
                let (id, rest) = payload.split_first().ok_or(ReplayError::Inflate)?;
                payload = rest;
                self.opened.insert(OpenedStream::new(*id, &self.start)?)
            }
        };
        let bytes = inflate(&mut stream.decoder, payload)?;
        let mut reader = Reader::new(&bytes);
        let header = stream.headers.read(&mut stream.tables, &mut reader)?;
        let signature = Signature(reader.array()?);
        let receipt = match relayed {
            true => Some(stream.receipts.read(&mut reader)?),
            false => None,
        };
        let spelling = stream.tables.read(header.device, reader.raw(reader.left())?)?;
        Ok(ReplayBatch { header, signature, receipt, spelling })
    }
}

impl OpenedStream {
    fn new(dictionary: u8, start: &StreamStart) -> Result<Self, ReplayError> {
        let known = content(dictionary).zip(prime(dictionary, start.device));
        let (content, tables) = known.ok_or(ReplayError::Dictionary(dictionary))?;
        let mut decoder = Decoder::with_dictionary(content).map_err(|_| ReplayError::Inflate)?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(|_| ReplayError::Inflate)?;
        let (headers, receipts) = (HeaderMemory::new(start), ReceiptMemory::new(start));
        Ok(Self { decoder, tables, headers, receipts })
    }
}

/// Everything that the next bytes of the stream inflate to, bounded whatever they claim.
fn inflate(decoder: &mut Decoder<'_>, payload: &[u8]) -> Result<Vec<u8>, ReplayError> {
    let mut step = vec![0; STEP];
    let mut bytes = Vec::new();
    let mut input = InBuffer::around(payload);
    loop {
        let mut output = OutBuffer::around(&mut step);
        let hint = decoder.run(&mut input, &mut output).map_err(|_| ReplayError::Inflate)?;
        let got = output.as_slice();
        bytes.extend_from_slice(got);
        if bytes.len() > REPLAY_BYTES_MAX || hint == 0 {
            // A frame that ends is not the stream that its writer flushes.
            return Err(ReplayError::Inflate);
        }
        if input.pos() == payload.len() && got.len() < STEP {
            return Ok(bytes);
        }
    }
}
