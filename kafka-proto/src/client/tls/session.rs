//! The rustls connection that both halves of a link share, by rustls' unbuffered API: it opens records where they were
//! read, and seals them where they are written from.
//!
//! rustls has no buffers here, but it remembers places: while a handshake message is in parts, it counts on the same bytes
//! standing before what it is given next. They are kept here, so that the sending half, which has to pass by the same
//! state machine before it may seal, can show them, too.

use std::{fmt, mem};

use rustls::{
    client::{ClientConnectionData, UnbufferedClientConnection},
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
        UnbufferedStatus, WriteTraffic,
    },
};

use super::{Opened, failure::unsealed};
use crate::{error::Error, machine::frames::Frames};

/// The most bytes of a handshake message in parts: what rustls allows where the buffers are its own.
const HELD: usize = 0xffff;
/// Room for a record of an alert, and for an answer to new keys before it.
const CLOSE_NOTIFY: usize = 256;

/// One connection of TLS, without its sockets' bytes.
pub(super) struct Session {
    connection: UnbufferedClientConnection,
    /// Sealed because of what was read. It leaves before anything that is sealed later, since records are numbered.
    output: Vec<u8>,
    /// Records that rustls has seen and not done with: the beginning of a handshake message.
    held: Vec<u8>,
    /// Why nothing can be opened or sealed any more: rustls is asked for its alert, and nothing else.
    failed: Option<rustls::Error>,
}

impl Session {
    pub(super) fn new(connection: UnbufferedClientConnection) -> Self {
        Self {
            connection,
            output: Vec::new(),
            held: Vec::new(),
            failed: None,
        }
    }

    /// Opens one record in place, and appends what was in it to `frames`.
    ///
    /// Of a record that is not whole yet rustls only looks at the header, so that a peer that speaks something else is
    /// found out by its first bytes; the rest of it is to be given again.
    ///
    /// # Errors
    ///
    /// What rustls says, from then on always the same.
    pub(super) fn open(
        &mut self,
        record: &mut [u8],
        is_whole: bool,
        frames: &mut Frames,
    ) -> Result<Opened, rustls::Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let opened = match self.held.is_empty() {
            true => self.open_alone(record, is_whole, frames),
            false => self.open_behind(record, is_whole, frames),
        };
        opened.inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Seals `plaintext` as one record at the beginning of `room`; returns its size, or 0: there can be none any more.
    pub(super) fn seal(&mut self, plaintext: &[u8], room: &mut [u8]) -> Result<usize, Error> {
        self.with_traffic(|traffic| traffic.encrypt(plaintext, room))
    }

    /// Ends the stream in good order, behind what has been sealed. What has failed ends by its alert.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        let mut room = [0; CLOSE_NOTIFY];
        let n = match self.is_handshaking() {
            true => 0,
            false => self.with_traffic(|traffic| traffic.queue_close_notify(&mut room))?,
        };
        self.output.extend_from_slice(&room[..n]);
        Ok(())
    }

    /// What is to leave before anything else; empty it.
    pub(super) fn output(&mut self) -> Result<&mut Vec<u8>, Error> {
        // as long as this is so, rustls hands it out and does not look at what was read
        while self.connection.wants_write() {
            let status = self.connection.process_tls_records(&mut []);
            let ConnectionState::EncodeTlsData(mut chunk) = status.state.map_err(unsealed)? else {
                break;
            };
            encode(&mut chunk, &mut self.output).map_err(unsealed)?;
        }
        Ok(&mut self.output)
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Has rustls make a record, where it is ready for that; 0: it is not.
    fn with_traffic(
        &mut self,
        make: impl FnOnce(&mut WriteTraffic<'_, ClientConnectionData>) -> Result<usize, EncryptError>,
    ) -> Result<usize, Error> {
        // what rustls has to say itself has a lower number
        self.output()?;
        while self.failed.is_none() {
            let status = self.connection.process_tls_records(&mut self.held);
            match status.state.map_err(unsealed)? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    return make(&mut traffic).map_err(unsealed);
                }
                ConnectionState::TransmitTlsData(sent) => sent.done(),
                _ => break,
            }
        }
        Ok(0)
    }

    fn open_alone(
        &mut self,
        record: &mut [u8],
        is_whole: bool,
        frames: &mut Frames,
    ) -> Result<Opened, rustls::Error> {
        let (n, opened) = self.process(record, frames)?;
        if is_whole {
            self.held.extend_from_slice(&record[n..]);
        }
        Ok(opened)
    }

    /// Opens a record behind those that are held.
    fn open_behind(
        &mut self,
        record: &[u8],
        is_whole: bool,
        frames: &mut Frames,
    ) -> Result<Opened, rustls::Error> {
        let mut held = mem::take(&mut self.held);
        let before = held.len();
        held.extend_from_slice(record);
        let (n, opened) = self.process(&mut held, frames)?;
        match is_whole {
            true => drop(held.drain(..n)),
            false => held.truncate(before),
        }
        if held.len() > HELD {
            let message = "a handshake message in parts is too long".to_owned();
            return Err(rustls::Error::General(message));
        }
        self.held = held;
        Ok(opened)
    }

    /// Takes what rustls makes of `bytes` until it wants more; returns how many of them it is done with.
    fn process(
        &mut self,
        bytes: &mut [u8],
        frames: &mut Frames,
    ) -> Result<(usize, Opened), rustls::Error> {
        let mut opened = Opened::default();
        let mut done = 0;
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut bytes[done..]);
            done += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        frames.extend(record.payload);
                        opened.bytes += record.payload.len();
                        done += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut chunk)) => {
                    encode(&mut chunk, &mut self.output)
                        .map_err(|e| rustls::Error::General(e.to_string()))?;
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => opened.ended = true,
                Ok(_) => break,
                Err(error) => return Err(error),
            }
        }
        opened.output = !self.output.is_empty();
        Ok((done, opened))
    }
}

/// Appends what rustls has to say to `output`.
fn encode(
    chunk: &mut EncodeTlsData<'_, ClientConnectionData>,
    output: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let from = output.len();
    // it tells its size only to those who have no room
    if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
        chunk.encode(&mut [])
    {
        output.resize(from + required_size, 0);
        chunk.encode(&mut output[from..])?;
    }
    Ok(())
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("output", &self.output.len())
            .field("held", &self.held.len())
            .finish_non_exhaustive()
    }
}
