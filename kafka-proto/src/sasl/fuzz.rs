//! The fuzz body of SASL: what a broker says, to every mechanism.

use super::{Exchange, Mechanism, OauthBearer, Plain, Scram, ScramHash, ScramNonce, Step};

/// Lets each mechanism go through an exchange in which the broker says the lines of `data`.
///
/// Nothing may panic, no exchange may go on after four answers, and no broker that was not told the password may satisfy
/// SCRAM.
pub fn exchange(data: &[u8]) {
    // what the broker itself says may stand in an error
    let said = data.windows(6).any(|word| word == b"pencil");
    let mut starts = Vec::new();
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let nonce = ScramNonce::new("n").expect("visible");
        let (_, expect) = Scram::new(hash, "user", "pencil").start_with(nonce);
        starts.push((true, Box::new(expect) as Box<dyn Exchange>));
    }
    let plain = Plain::new("user", "pencil").expect("no zero");
    let bearer = OauthBearer::new("token").expect("visible");
    for mechanism in [&plain as &dyn Mechanism, &bearer] {
        let (_, exchange) = mechanism.start([0; 24]).expect("starts");
        starts.push((false, exchange));
    }
    for (is_scram, mut exchange) in starts {
        let mut answers = data.split(|b| *b == b'\n');
        for round in 0.. {
            assert!(round < 4, "an exchange without end");
            match exchange.handle(answers.next().unwrap_or_default()) {
                Ok(Step::Send { then, .. }) => exchange = then,
                Ok(Step::Done) => {
                    assert!(!is_scram, "a broker without the password was believed");
                    break;
                }
                Err(e) => {
                    assert!(said || !e.to_string().contains("pencil"));
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_answer_of_a_broker_panics_or_is_believed() {
        let good = b"r=nx,s=AA==,i=4096\nv=AAAA\n";
        super::exchange(good);
        for end in 0..good.len() {
            super::exchange(&good[..end]);
            let mut changed = good.to_vec();
            changed[end] ^= 0x40;
            super::exchange(&changed);
        }
        super::exchange(b"r=n\xff,s=AA==,i=4096");
        super::exchange(b"{\"status\":\"pen\xffcil\"}\n");
        super::exchange(b"a broker that says pencil");
    }
}
