//! TLS beneath a link: plaintext segments become ciphertext for the socket, ciphertext becomes bytes of frames.
//!
//! rustls has one object for both directions, so both halves lock it, each for at most one record. What reading makes to
//! be sent (the handshake, key updates) wakes the sending half.

mod failure;

use std::{
    collections::VecDeque,
    fmt,
    io::{self, IoSlice, Read, Write},
    sync::Arc,
};

use bytes::{Buf, Bytes};
use rustls::ClientConnection;

use self::failure::explain;
use super::sync::Lock;
use crate::{
    config::Config,
    error::{Error, ErrorKind},
    machine::frames::Frames,
};

/// The most plaintext of one record.
const RECORD: usize = 16 << 10;
/// Ciphertext that is kept ready for the socket.
const AHEAD: usize = 64 << 10;
/// What a record has beside its plaintext, and more.
const OVERHEAD: usize = 256;
/// Segments in one record.
const SEGMENTS: usize = 64;
/// Room for reads.
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
    let connection = ClientConnection::new(tls.client_config()?, name);
    let mut connection = connection.map_err(|e| explain(&e, Progress::default()))?;
    // both halves keep what waits within bounds
    connection.set_buffer_limit(None);
    let connection = Arc::new(Lock::new(connection));
    let seal = Seal {
        connection: connection.clone(),
        ready: Vec::new(),
        sent: 0,
        marks: VecDeque::new(),
        begun: false,
        parting: false,
    };
    let open = Open {
        connection,
        ciphertext: Vec::new(),
        filled: 0,
        progress: Progress::default(),
    };
    Ok(Some((seal, open)))
}

/// The sending half: seals records.
pub(crate) struct Seal {
    connection: Arc<Lock<ClientConnection>>,
    /// Ciphertext for the socket, from `sent` on.
    ready: Vec<u8>,
    sent: usize,
    /// Where a record ends in `ready`, and how many bytes of plaintext have left with it.
    marks: VecDeque<(usize, usize)>,
    /// Something has left for the peer.
    begun: bool,
    /// The last record is made, or none is to be.
    parting: bool,
}

impl Seal {
    /// Seals what fits of `segments`, and takes what the connection itself has to say. Returns whether there is anything to
    /// write.
    pub(crate) fn fill(&mut self, segments: &mut VecDeque<Bytes>) -> Result<bool, Error> {
        if self.sent < self.ready.len() {
            return Ok(true);
        }
        while self.ready.len() < AHEAD {
            let mut connection = self.connection.lock();
            while connection.wants_write() {
                connection.write_tls(&mut self.ready).map_err(unsealed)?;
            }
            if segments.is_empty() || connection.is_handshaking() {
                break;
            }
            make_room(&mut self.ready, segments);
            let taken = seal_record(&mut connection, segments).map_err(unsealed)?;
            while connection.wants_write() {
                connection.write_tls(&mut self.ready).map_err(unsealed)?;
            }
            drop(connection);
            self.marks.push_back((self.ready.len(), taken));
            advance(segments, taken);
        }
        Ok(!self.ready.is_empty())
    }

    /// The ciphertext to write.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let rest = &self.ready[self.sent..];
        match slices.first_mut() {
            Some(slot) if !rest.is_empty() => {
                *slot = IoSlice::new(rest);
                1
            }
            _ => 0,
        }
    }

    /// Takes note that the socket has taken `n` bytes; returns how many bytes of plaintext have left whole by it.
    pub(crate) fn consume(&mut self, n: usize) -> usize {
        self.sent = (self.sent + n).min(self.ready.len());
        let mut left = 0;
        while let Some((end, plaintext)) = self.marks.front()
            && *end <= self.sent
        {
            left += plaintext;
            self.marks.pop_front();
        }
        self.begun |= n > 0;
        if self.sent == self.ready.len() {
            // the next burst finds the memory where this one had it: given back, it would come anew page by page
            self.ready.clear();
            self.sent = 0;
        }
        left
    }

    /// Gives back memory that only a burst needs: the link goes to sleep and waits for nothing.
    pub(crate) fn rest(&mut self) {
        if self.ready.is_empty() && self.ready.capacity() > RECORD {
            self.ready = Vec::new();
        }
    }

    /// Ends the stream in good order after the link has ended; returns whether there is something left to write.
    ///
    /// Only behind whole records: what is cut is not to be completed any more, since whoever waited for it knows already
    /// that it was not written.
    pub(crate) fn farewell(&mut self) -> Result<bool, Error> {
        if self.parting {
            return Ok(self.sent < self.ready.len());
        }
        self.parting = true;
        if !self.begun || self.sent < self.ready.len() {
            self.ready = Vec::new();
            self.sent = 0;
            return Ok(false);
        }
        let mut connection = self.connection.lock();
        if !connection.is_handshaking() {
            connection.send_close_notify();
        }
        // an alert, too, where the peer did something wrong
        while connection.wants_write() {
            connection.write_tls(&mut self.ready).map_err(unsealed)?;
        }
        Ok(!self.ready.is_empty())
    }
}

/// Makes room for what is to be sealed at once, so that records are appended without moving those before them.
fn make_room(ready: &mut Vec<u8>, segments: &VecDeque<Bytes>) {
    let most = AHEAD + RECORD + OVERHEAD - ready.len().min(AHEAD);
    if ready.capacity() - ready.len() >= most {
        return;
    }
    let (mut plaintext, mut records) = (0, 1);
    for segment in segments {
        plaintext += segment.len();
        records = 1 + plaintext / RECORD;
        if plaintext >= most {
            break;
        }
    }
    ready.reserve((plaintext + records * OVERHEAD).min(most));
}

/// Seals the beginning of `segments` as one record; returns how much of them.
fn seal_record(connection: &mut ClientConnection, segments: &VecDeque<Bytes>) -> io::Result<usize> {
    let mut slices = [IoSlice::new(&[]); SEGMENTS];
    let (mut count, mut room) = (0, RECORD);
    for (slot, segment) in slices.iter_mut().zip(segments) {
        if room == 0 {
            break;
        }
        let part = &segment[..segment.len().min(room)];
        *slot = IoSlice::new(part);
        room -= part.len();
        count += 1;
    }
    connection.writer().write_vectored(&slices[..count])
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
    connection: Arc<Lock<ClientConnection>>,
    /// Room for reads.
    ciphertext: Vec<u8>,
    filled: usize,
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
        &mut self.ciphertext
    }

    /// Takes note of `n` bytes read into [`Open::space`].
    pub(crate) fn filled(&mut self, n: usize) {
        self.filled = n.min(self.ciphertext.len());
    }

    /// Opens what has been read, until something came of it; `None`: it is all done.
    pub(crate) fn open(
        &mut self,
        from: &mut usize,
        frames: &mut Frames,
    ) -> Result<Option<Opened>, Error> {
        while *from < self.filled {
            let mut opened = Opened::default();
            let mut rest = &self.ciphertext[*from..self.filled];
            let mut connection = self.connection.lock();
            let was_handshaking = connection.is_handshaking();
            let n = read_record(&mut connection, &mut rest).map_err(unsealed)?;
            self.progress.answered = true;
            let state = connection.process_new_packets();
            let state = state.map_err(|e| explain(&e, self.progress))?;
            opened.output = connection.wants_write();
            opened.ended = state.peer_has_closed();
            if was_handshaking && !connection.is_handshaking() {
                self.progress.established = true;
                opened.output = true;
            }
            let mut left = state.plaintext_bytes_to_read();
            while left > 0 {
                let n = connection.reader().read(frames.space()).map_err(unsealed)?;
                if n == 0 {
                    break;
                }
                frames.filled(n);
                opened.bytes += n;
                left -= n;
            }
            drop(connection);
            *from += n;
            self.progress.heard |= opened.bytes > 0;
            // nothing comes after the end of a stream
            if n == 0 || opened.ended {
                *from = self.filled;
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

/// Hands over about a record of ciphertext; returns how much. rustls takes a quarter of one at a time, and looks in vain for
/// the whole after each.
fn read_record(connection: &mut ClientConnection, rest: &mut &[u8]) -> io::Result<usize> {
    let before = rest.len();
    while !rest.is_empty() && before - rest.len() < RECORD {
        match connection.read_tls(rest) {
            Ok(0) => break,
            Ok(_) => {}
            // it has no room before what it has is opened
            Err(_) if rest.len() < before => break,
            Err(error) => return Err(error),
        }
    }
    Ok(before - rest.len())
}

/// What neither side of a sound connection does.
fn unsealed(error: io::Error) -> Error {
    Error::new(ErrorKind::Protocol, format!("TLS failed: {error}")).caused_by(error)
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("ready", &(self.ready.len() - self.sent))
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
