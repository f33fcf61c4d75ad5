//! TLS beneath a link: plaintext segments become ciphertext for the socket, ciphertext becomes bytes of frames.
//!
//! rustls has one object for both directions, so both halves lock it, each for at most one record. What reading makes to
//! be sent (the handshake, key updates) wakes the sending half. Records are opened where the socket put them and sealed
//! into what the socket takes: beside that, opening costs a copy inside rustls and one into the frames.

mod failure;
mod session;

use std::{collections::VecDeque, fmt, io::IoSlice, sync::Arc};

use bytes::{Buf, Bytes};
use rustls::client::UnbufferedClientConnection;

use self::{failure::explain, session::Session};
use super::sync::Lock;
use crate::{config::Config, error::Error, machine::frames::Frames};

/// The most plaintext of one record.
const RECORD: usize = 16 << 10;
/// Bytes before each record: its type, a version, its length.
const HEADER: usize = 5;
/// Ciphertext that is kept ready for the socket.
const AHEAD: usize = 64 << 10;
/// What a record has beside its plaintext, and more.
const OVERHEAD: usize = 256;
/// Room for reads. A part of a record stays in it, and there is room behind: rustls refuses records above 18 KiB.
const ROOM: usize = 64 << 10;

/// The layer of one link, if its client has TLS: for the sending and for the receiving half.
///
/// # Errors
///
/// No certificate can bear the name `host`, or the configuration is none.
pub(crate) fn layer(config: &Config, host: &str) -> Result<Option<(Seal, Open)>, Error> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    let name = tls.name_for(host)?;
    let connection = UnbufferedClientConnection::new(tls.client_config()?, name);
    let connection = connection.map_err(|e| explain(&e, Progress::default()))?;
    let session = Arc::new(Lock::new(Session::new(connection)));
    let seal = Seal {
        session: session.clone(),
        ready: Ready::default(),
        gathered: Vec::new(),
        marks: VecDeque::new(),
        begun: false,
        writing: 0,
        parting: false,
    };
    let open = Open {
        session,
        ciphertext: Vec::new(),
        begin: 0,
        end: 0,
        progress: Progress::default(),
    };
    Ok(Some((seal, open)))
}

/// The sending half: seals records.
pub(crate) struct Seal {
    session: Arc<Lock<Session>>,
    ready: Ready,
    /// The plaintext of a record that lies in more than one segment.
    gathered: Vec<u8>,
    /// Where a record ends in `ready`, and how many bytes of plaintext have left with it.
    marks: VecDeque<(usize, usize)>,
    /// Something has left for the peer.
    begun: bool,
    /// Bytes of `ready` that a write under way may take.
    writing: usize,
    /// The last record is made, or none is to be.
    parting: bool,
}

/// Ciphertext for the socket.
#[derive(Default)]
struct Ready {
    /// Ciphertext first, then room that is written once and not cleared again.
    bytes: Vec<u8>,
    filled: usize,
    sent: usize,
}

impl Ready {
    fn is_empty(&self) -> bool {
        self.sent == self.filled
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..self.filled]
    }

    /// At least `n` bytes of room.
    fn room(&mut self, n: usize) -> &mut [u8] {
        let end = self.filled + n;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..]
    }

    fn append(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }
}

impl Seal {
    /// Seals what fits of `segments`, and takes what the connection itself has to say. Returns whether there is anything to
    /// write.
    pub(crate) fn fill(&mut self, segments: &mut VecDeque<Bytes>) -> Result<bool, Error> {
        if !self.ready.is_empty() {
            return Ok(true);
        }
        while self.ready.filled < AHEAD {
            let plaintext = gather(segments, &mut self.gathered);
            let mut session = self.session.lock();
            let output = session.output()?;
            self.ready.append(output);
            output.clear();
            if plaintext.is_empty() || session.is_handshaking() {
                break;
            }
            let room = self.ready.room(room_for(self.ready.filled, segments));
            let n = session.seal(plaintext, room)?;
            drop(session);
            if n == 0 {
                break;
            }
            self.ready.filled += n;
            let taken = plaintext.len();
            self.marks.push_back((self.ready.filled, taken));
            advance(segments, taken);
        }
        Ok(!self.ready.is_empty())
    }

    /// The ciphertext to write.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let rest = self.ready.rest();
        match slices.first_mut() {
            Some(slot) if !rest.is_empty() => {
                *slot = IoSlice::new(rest);
                1
            }
            _ => 0,
        }
    }

    /// Takes note that a write of `n` bytes is under way; returns how many bytes of plaintext leave whole by it.
    pub(crate) fn writing(&mut self, n: usize) -> usize {
        self.writing = n;
        let end = self.ready.sent.saturating_add(n);
        let whole = self.marks.iter().take_while(|(at, _)| *at <= end);
        whole.map(|(_, plaintext)| plaintext).sum()
    }

    /// Whether it says its last words.
    pub(crate) fn is_parting(&self) -> bool {
        self.parting
    }

    /// Takes note that the socket has taken `n` bytes; returns how many bytes of plaintext have left whole by it.
    pub(crate) fn consume(&mut self, n: usize) -> usize {
        self.ready.sent = (self.ready.sent + n).min(self.ready.filled);
        let mut left = 0;
        while let Some((end, plaintext)) = self.marks.front()
            && *end <= self.ready.sent
        {
            left += plaintext;
            self.marks.pop_front();
        }
        self.begun |= n > 0;
        self.writing = 0;
        if self.ready.is_empty() {
            // the next burst finds the memory where this one had it: given back, it would come anew page by page
            (self.ready.filled, self.ready.sent) = (0, 0);
        }
        left
    }

    /// Gives back memory that only a burst needs: the link goes to sleep and waits for nothing.
    pub(crate) fn rest(&mut self) {
        if self.ready.is_empty() && self.ready.bytes.len() > RECORD {
            self.ready = Ready::default();
            self.gathered = Vec::new();
        }
    }

    /// Ends the stream in good order after the link has ended; returns whether there is something left to write.
    ///
    /// Only behind whole records: what is cut is not to be completed any more, since whoever waited for it knows already
    /// that it was not written.
    pub(crate) fn farewell(&mut self) -> Result<bool, Error> {
        if self.parting {
            return Ok(!self.ready.is_empty());
        }
        let rest = self.ready.rest().len();
        if rest > 0 && rest == self.writing {
            // nothing is cut as long as nobody knows
            return Ok(true);
        }
        self.parting = true;
        if !self.begun || !self.ready.is_empty() {
            self.ready = Ready::default();
            return Ok(false);
        }
        let mut session = self.session.lock();
        session.end()?;
        // an alert, too, where the peer did something wrong
        self.ready.append(session.output()?);
        Ok(!self.ready.is_empty())
    }
}

/// The room for what is to be sealed at once, so that records are appended without moving those before them.
fn room_for(filled: usize, segments: &VecDeque<Bytes>) -> usize {
    let most = AHEAD + RECORD + OVERHEAD - filled.min(AHEAD);
    let (mut plaintext, mut records) = (0, 1);
    for segment in segments {
        plaintext += segment.len();
        records = 1 + plaintext / RECORD;
        if plaintext >= most {
            break;
        }
    }
    (plaintext + records * OVERHEAD).min(most)
}

/// The plaintext of the next record: the beginning of `segments`, in one piece.
fn gather<'a>(segments: &'a VecDeque<Bytes>, gathered: &'a mut Vec<u8>) -> &'a [u8] {
    let Some(first) = segments.front() else {
        return &[];
    };
    if first.len() >= RECORD || segments.len() == 1 {
        return &first[..first.len().min(RECORD)];
    }
    gathered.clear();
    for segment in segments {
        let room = RECORD - gathered.len();
        if room == 0 {
            break;
        }
        gathered.extend_from_slice(&segment[..segment.len().min(room)]);
    }
    gathered
}

fn advance(segments: &mut VecDeque<Bytes>, mut n: usize) {
    while let Some(first) = segments.front_mut() {
        if n < first.len() {
            return first.advance(n);
        }
        n -= first.len();
        segments.pop_front();
    }
}

/// The receiving half: opens records.
pub(crate) struct Open {
    session: Arc<Lock<Session>>,
    /// What was read and is not opened yet, from `begin` to `end`; the rest is room for reads.
    ciphertext: Vec<u8>,
    begin: usize,
    end: usize,
    progress: Progress,
}

/// How far a connection has come, for those who explain its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The handshake is done, as far as this side can tell.
    pub(crate) established: bool,
    /// The broker has said something after it.
    pub(crate) heard: bool,
    /// Anything at all has arrived.
    pub(crate) answered: bool,
}

/// What opening led to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opened {
    /// Bytes of frames that were added.
    pub(crate) bytes: usize,
    /// The sending half has something to do.
    pub(crate) output: bool,
    /// The peer has ended the stream in good order.
    pub(crate) ended: bool,
}

impl Open {
    /// Room for the next read; never empty.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        if self.ciphertext.is_empty() {
            self.ciphertext.resize(ROOM, 0);
        }
        if self.begin > 0 {
            self.ciphertext.copy_within(self.begin..self.end, 0);
            (self.begin, self.end) = (0, self.end - self.begin);
        }
        &mut self.ciphertext[self.end..]
    }

    /// Takes note of `n` bytes read into [`Open::space`].
    pub(crate) fn filled(&mut self, n: usize) {
        self.end = (self.end + n).min(self.ciphertext.len());
        self.progress.answered |= n > 0;
    }

    /// Opens what has been read, until something came of it; `None`: all that is whole is done.
    pub(crate) fn open(&mut self, frames: &mut Frames) -> Result<Option<Opened>, Error> {
        while self.begin < self.end {
            let rest = &mut self.ciphertext[self.begin..self.end];
            let size = record_size(rest);
            let is_whole = size.is_some_and(|size| size <= rest.len());
            let n = size.filter(|_| is_whole).unwrap_or(rest.len());
            let mut session = self.session.lock();
            let was_handshaking = session.is_handshaking();
            let opened = session.open(&mut rest[..n], is_whole, frames);
            let is_handshaking = session.is_handshaking();
            drop(session);
            let mut opened = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    // nothing comes after a failure
                    self.begin = self.end;
                    return Err(explain(&error, self.progress));
                }
            };
            if was_handshaking && !is_handshaking {
                self.progress.established = true;
                opened.output = true;
            }
            self.progress.heard |= opened.bytes > 0;
            match is_whole {
                true if !opened.ended => self.begin += n,
                // nothing comes after the end of a stream
                true => self.begin = self.end,
                false => return Ok(None),
            }
            if opened.bytes > 0 || opened.output || opened.ended {
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }
}

/// The size of the record that `bytes` begin with, as far as they tell.
fn record_size(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER>()?;
    Some(HEADER + usize::from(u16::from_be_bytes([header[3], header[4]])))
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("ready", &self.ready.rest().len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
