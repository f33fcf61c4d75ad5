//! The fuzz bodies of the read buffer, a stream of frames, however it arrives, and of SASL on a connection.

use bytes::Bytes;

use super::{
    authentication::{Expect, ExpectMechanism, Turn},
    frames::Frames,
    handshake::Versions,
};
use crate::{
    api::{
        AnyRequest, ApiKey, RequestHeader, sasl_authenticate::SaslAuthenticateResponse,
        sasl_handshake::SaslHandshakeResponse,
    },
    sasl::{Mechanism, OauthBearer, Plain, Scram, ScramHash},
    wire::Reader,
};

/// The random bytes of each exchange.
const ENTROPY: [u8; 24] = [7; 24];
/// The nonce that SCRAM makes of them, for seeds: a broker that does not repeat it is refused at its first line.
pub const NONCE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
/// The longest frame that is taken here.
const MAX: usize = 1 << 16;

/// Feeds `data` behind its first byte in chunks that the first byte decides.
///
/// Nothing may panic, the room for the next read stays small whatever length is declared, and the frames and the error at
/// their end are those of the stream, however it was cut. What a frame holds is read as a request with its header.
pub fn frames(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else {
        return;
    };
    let mut state = u32::from(seed) | 1 << 8;
    let mut chunk = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // most chunks are small
        (state as usize >> 8) % (1 << (state % 12)) + 1
    };
    let mut expected = split(stream);
    let mut frames = Frames::new(MAX);
    let (mut rest, mut arrived) = (stream, 0);
    while !rest.is_empty() {
        let space = frames.space();
        assert!(!space.is_empty() && space.len() <= (1 << 16).max(arrived) + MAX);
        let n = chunk().min(space.len()).min(rest.len());
        space[..n].copy_from_slice(&rest[..n]);
        (rest, arrived) = (&rest[n..], arrived + n);
        frames.filled(n);
        loop {
            match frames.poll_frame() {
                Ok(Some(frame)) => {
                    assert_eq!(expected.next(), Some(Some(&frame[..])));
                    request(&frame);
                }
                Ok(None) => break,
                Err(_) => {
                    assert_eq!(expected.next(), Some(None));
                    return;
                }
            }
        }
    }
    // all that was whole has been given out
    assert!(expected.next().is_none());
}

/// The whole frames of a stream, and `None` where one announces a length that is not taken.
fn split(mut stream: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        let (length, rest) = stream.split_first_chunk()?;
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let Some(length) = length.filter(|n| (4..=MAX).contains(n)) else {
            return Some(None);
        };
        let frame;
        (frame, stream) = rest.split_at_checked(length)?;
        Some(Some(frame))
    })
}

/// As a broker would: the first four bytes say how to read the others.
fn request(frame: &Bytes) {
    let Some([k1, k2, v1, v2]) = frame.first_chunk() else {
        return;
    };
    let version = i16::from_be_bytes([*v1, *v2]);
    let Ok(api) = ApiKey::try_from(i16::from_be_bytes([*k1, *k2])) else {
        return;
    };
    let mut r = Reader::new(frame, version, api.is_flexible(version));
    if RequestHeader::read(&mut r, api.request_header(version)).is_ok() {
        let body = AnyRequest::decode(api, &mut r);
        assert!(body.is_ok() || r.remaining() <= frame.len());
    }
}

/// Lets each mechanism authenticate, by requests and without headers, where the broker answers the lines of `data`.
///
/// Nothing may panic, no authentication may go on after five answers, and no broker that was not told the password may
/// satisfy SCRAM.
pub fn authentication(data: &[u8]) {
    // what the broker itself says may stand in an error
    let said = data.windows(6).any(|word| word == b"pencil");
    let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
    let plain = Plain::new("user", "pencil").expect("no zero");
    let bearer = OauthBearer::new("pencil").expect("visible");
    for mechanism in [&scram as &dyn Mechanism, &plain, &bearer] {
        for max in [0, 1] {
            let versions = Versions::of_all(max);
            let started = ExpectMechanism::start(mechanism, ENTROPY, &versions);
            let (_, expect) = started.expect("the broker knows SASL");
            let mut expect = Expect::Mechanism(expect);
            let mut answers = data.split(|b| *b == b'\n');
            for round in 0.. {
                assert!(round < 5, "an authentication without end");
                let answer = Bytes::copy_from_slice(answers.next().unwrap_or_default());
                let turn = match expect {
                    // an error code says all that a body could: the line is for the exchange
                    Expect::Mechanism(expect) => {
                        expect.handle(&SaslHandshakeResponse::build(|r| {
                            r.error_code = i16::from(answer.starts_with(b"!")) * 33;
                        }))
                    }
                    Expect::Token(expect) if expect.is_raw() => expect.handle_raw(&answer),
                    Expect::Token(expect) => {
                        expect.handle(&SaslAuthenticateResponse::build(|r| r.auth_bytes = answer))
                    }
                };
                match turn {
                    Ok(Turn::Send(_, next)) => expect = next,
                    Ok(Turn::Done(_)) => {
                        assert!(mechanism.name() != scram.name(), "SCRAM trusts a stranger");
                        break;
                    }
                    Err(error) => {
                        let shown = format!("{error} {error:?}");
                        assert!(said || !shown.contains("pencil"), "{shown}");
                        break;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_same_however_they_arrive() {
        let mut stream = Vec::new();
        for n in [4usize, 5, 300, 10_000, 65_536] {
            stream.extend((n as u32).to_be_bytes());
            stream.extend(vec![n as u8; n]);
        }
        stream.extend(b"HTTP/1.1 400");
        for seed in 0..=255 {
            frames(&[&[seed], &stream[..]].concat());
            frames(&[&[seed], &stream[..stream.len() / 2]].concat());
        }
    }

    #[test]
    fn a_seed_with_the_nonce_gets_beyond_the_first_line() {
        let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
        for (nonce, goes_on) in [(NONCE, true), ("another", false)] {
            let (_, exchange) = scram.start(ENTROPY).expect("a first message");
            let line = format!("r={nonce}more,s=QSXCR+Q6sek8bf92,i=4096");
            assert_eq!(exchange.handle(line.as_bytes()).is_ok(), goes_on, "{line}");
        }
    }

    #[test]
    fn brokers_that_say_anything_neither_satisfy_nor_stall_an_authentication() {
        for data in [
            &b""[..],
            b"!",
            b"\nr=x,s=AA==,i=4096\nv=AAAA",
            b"\n{\"status\":\"invalid_token\"}\n\n\n\n",
            b"\n\xff\xfe\n\x00",
        ] {
            authentication(data);
        }
    }
}
