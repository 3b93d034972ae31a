//! A body compressed while it passes. What has come is flushed as soon as nothing more is there: nobody waits for the
//! rest of a block.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use portcullis_config::plan::{Encoding, Level};
use prometheus::IntCounter;

use super::Slot;
use crate::ground::body::BoxError;
use crate::stages::content::Content;

pub(super) struct Compressed {
    inner: Content,
    /// None once all of the content went through it.
    encoder: Option<Encoder>,
    /// Of the last frame, what is still to be compressed.
    rest: Bytes,
    /// Something went into the encoder that may not have come out.
    held: bool,
    trailers: Option<HeaderMap>,
    before: IntCounter,
    after: IntCounter,
    _slot: Slot,
}

pub(super) enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    /// Boxed: some kilobytes.
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

/// Bytes compressed at a stretch.
const SLICE: usize = 16 * 1024;
/// Slices before the other exchanges of this worker have their turn.
const STRETCH: usize = 16;
/// Fewer bytes are not worth a frame of their own, unless nothing follows for now.
const FRAME: usize = 8 * 1024;
/// 256 KiB of history: most answers gain nothing beyond it, and each one being compressed holds this much.
const WINDOW: u32 = 18;

// === impl Compressed ===

impl Compressed {
    /// `before` and `after` count bytes.
    pub(super) fn new(
        inner: Content,
        encoder: Encoder,
        (before, after): (IntCounter, IntCounter),
        slot: Slot,
    ) -> Compressed {
        Compressed {
            inner,
            encoder: Some(encoder),
            rest: Bytes::new(),
            held: false,
            trailers: None,
            before,
            after,
            _slot: slot,
        }
    }

    fn poll_encoded(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        for _ in 0..STRETCH {
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(self.trailers.take().map(|t| Ok(Frame::trailers(t))));
            };
            if !self.rest.is_empty() {
                let slice = self.rest.split_to(self.rest.len().min(SLICE));
                self.before.inc_by(slice.len() as u64);
                self.held = true;
                if let Err(error) = encoder.write(&slice) {
                    return Poll::Ready(Some(Err(self.fail(error))));
                }
                if encoder.made() >= FRAME {
                    return Poll::Ready(Some(Ok(Frame::data(encoder.take()))));
                }
                continue;
            }
            match Pin::new(&mut self.inner).poll_frame(cx) {
                Poll::Pending if !self.held => return Poll::Pending,
                Poll::Pending => {
                    self.held = false;
                    return match encoder.flush() {
                        Ok(bytes) if bytes.is_empty() => Poll::Pending,
                        Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                        Err(error) => Poll::Ready(Some(Err(self.fail(error)))),
                    };
                }
                Poll::Ready(Some(Err(error))) => {
                    self.encoder = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        return self.finish();
                    }
                },
                Poll::Ready(None) => return self.finish(),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn finish(&mut self) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let last = self.encoder.take().map(Encoder::finish);
        Poll::Ready(last.map(|last| last.map(Frame::data).map_err(Into::into)))
    }

    /// A body that cannot be compressed on is broken off: half of it is not an answer.
    fn fail(&mut self, error: io::Error) -> BoxError {
        self.encoder = None;
        error.into()
    }
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = self.poll_encoded(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            self.after.inc_by(bytes as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

// === impl Encoder ===

impl Encoder {
    pub(super) fn new(encoding: Encoding, level: Level) -> io::Result<Encoder> {
        let out = Vec::new();
        Ok(match encoding {
            Encoding::Gzip => {
                let level = match level {
                    Level::Fast => 1,
                    Level::Balanced => 5,
                    Level::Small => 8,
                };
                Encoder::Gzip(GzEncoder::new(out, flate2::Compression::new(level)))
            }
            Encoding::Brotli => {
                let quality = match level {
                    Level::Fast => 2,
                    Level::Balanced => 4,
                    Level::Small => 6,
                };
                let writer = CompressorWriter::new(out, 4096, quality, WINDOW);
                Encoder::Brotli(Box::new(writer))
            }
            Encoding::Zstd => {
                let level = match level {
                    Level::Fast => 1,
                    Level::Balanced => 3,
                    Level::Small => 7,
                };
                let mut encoder = zstd::stream::write::Encoder::new(out, level)?;
                encoder.window_log(WINDOW)?;
                Encoder::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Gzip(encoder) => encoder.write_all(bytes),
            Encoder::Brotli(encoder) => encoder.write_all(bytes),
            Encoder::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// Everything that was written, so that the client can read it (RFC 1951 section 2.3, RFC 7932 section 9.2,
    /// RFC 8878 section 3.1.1.2).
    fn flush(&mut self) -> io::Result<Bytes> {
        match self {
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Brotli(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }?;
        Ok(self.take())
    }

    fn out(&mut self) -> &mut Vec<u8> {
        match self {
            Encoder::Gzip(encoder) => encoder.get_mut(),
            Encoder::Brotli(encoder) => encoder.get_mut(),
            Encoder::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn made(&mut self) -> usize {
        self.out().len()
    }

    fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(self.out()))
    }

    fn finish(self) -> io::Result<Bytes> {
        let out = match self {
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Brotli(encoder) => encoder.into_inner(),
            Encoder::Zstd(encoder) => encoder.finish()?,
        };
        Ok(Bytes::from(out))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::io::Read;

    use super::*;

    const ALL: [Encoding; 3] = [Encoding::Gzip, Encoding::Brotli, Encoding::Zstd];

    /// What a decoder makes of the bytes so far, be they the whole or not.
    fn read(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut buffer = [0; 4096];
        let mut decoder: Box<dyn Read + '_> = match encoding {
            Encoding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
            Encoding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
            Encoding::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes).unwrap()),
        };
        // The end of the bytes is an error to some decoders and the end to others.
        while let Ok(n @ 1..) = decoder.read(&mut buffer) {
            out.extend_from_slice(&buffer[..n]);
        }
        out
    }

    #[test]
    fn what_was_flushed_can_be_read_and_what_ended_is_whole() {
        for encoding in ALL {
            for level in [Level::Fast, Level::Balanced, Level::Small] {
                let mut encoder = Encoder::new(encoding, level).unwrap();
                encoder.write(b"the first part, ").unwrap();
                let mut bytes = encoder.flush().unwrap().to_vec();
                let seen = read(encoding, &bytes);
                assert_eq!(seen, b"the first part, ", "{encoding:?} {level:?}");
                encoder.write(b"the second").unwrap();
                bytes.extend(encoder.finish().unwrap());
                let seen = read(encoding, &bytes);
                let whole = b"the first part, the second";
                assert_eq!(seen, whole, "{encoding:?} {level:?}");
            }
        }
    }
}
