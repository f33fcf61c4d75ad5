//! The smallest possible client: asks one broker for the cluster it sees, to tell when the broker is ready.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What a broker says about its cluster.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) brokers: Vec<i32>,
    pub(super) controller: i32,
}

impl View {
    /// Sends Metadata version 1 without topics, which every version from 0.10 on answers.
    pub(super) fn ask(broker: SocketAddr, limit: Duration) -> io::Result<Self> {
        let mut stream = TcpStream::connect_timeout(&broker, limit)?;
        if stream.local_addr()? == broker {
            return Err(io::Error::other("the socket is connected to itself"));
        }
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(REQUEST)?;
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let size = u32::from_be_bytes(size);
        if size > MAX_ANSWER {
            return Err(io::Error::other(
                "the answer is too large for a list of brokers",
            ));
        }
        let mut answer = Vec::new();
        stream.take(size.into()).read_to_end(&mut answer)?;
        Self::parse(&answer).ok_or_else(|| io::Error::other("the answer ends too early"))
    }

    /// Whether all of `nodes` are listed and the controller is one of those listed.
    ///
    /// An open port does not mean that: a broker listens before the controller lets it serve.
    pub(super) fn is_complete(&self, nodes: &[i32]) -> bool {
        nodes.iter().all(|node| self.brokers.contains(node))
            && self.brokers.contains(&self.controller)
    }

    fn parse(answer: &[u8]) -> Option<Self> {
        let mut rest = answer.get(CORRELATION_ID..)?;
        let count = take_i32(&mut rest)?;
        let mut brokers = Vec::new();
        for _ in 0..count {
            brokers.push(take_i32(&mut rest)?);
            skip_text(&mut rest)?;
            take_i32(&mut rest)?;
            skip_text(&mut rest)?;
        }
        Some(Self {
            brokers,
            controller: take_i32(&mut rest)?,
        })
    }
}

/// Size, API key 3, version 1, correlation id, client id "wait", an empty list of topics.
const REQUEST: &[u8] = b"\0\0\0\x12\0\x03\0\x01\0\0\0\x01\0\x04wait\0\0\0\0";
const CORRELATION_ID: usize = 4;
const MAX_ANSWER: u32 = 1 << 20;

fn take_i32(rest: &mut &[u8]) -> Option<i32> {
    let (number, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(i32::from_be_bytes(*number))
}

/// Skips a text with its length before it; -1 is the absent one.
fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let (length, tail) = rest.split_first_chunk()?;
    let length = i16::from_be_bytes(*length).max(0);
    *rest = tail.get(length as usize..)?;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"\0\0\0\x01\0\0\0\x02\
        \0\0\0\0\0\x01h\0\0\x23\x84\xff\xff\
        \0\0\0\x05\0\x01h\0\0\x23\x84\0\x01r\
        \0\0\0\x05\0\0\0\0";

    #[test]
    fn reads_brokers_and_controller() {
        let view = View::parse(ANSWER).unwrap();
        assert_eq!(
            view,
            View {
                brokers: vec![0, 5],
                controller: 5
            }
        );
        assert!(view.is_complete(&[0, 5]) && view.is_complete(&[5]));
        assert!(!view.is_complete(&[1]));
        assert!(
            !View {
                controller: -1,
                ..view
            }
            .is_complete(&[0])
        );
    }

    #[test]
    fn no_prefix_is_taken_for_an_answer() {
        for end in 0..ANSWER.len() - 4 {
            assert_eq!(View::parse(&ANSWER[..end]), None, "{end}");
        }
    }

    #[test]
    fn the_request_states_its_size() {
        assert_eq!(REQUEST[..4], (REQUEST.len() as u32 - 4).to_be_bytes());
    }
}
