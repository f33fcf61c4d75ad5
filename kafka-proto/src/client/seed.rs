//! Where chance comes from.

use std::fmt;

use sha2::{Digest, Sha256};

use super::sync::Lock;
use crate::machine::{authentication::Nonces, backoff::Random};

/// The chance of one client or connection: the jitter of its pauses, and the nonces of SASL.
///
/// An adapter takes 32 bytes from the system's source of randomness, since nobody may guess a nonce (RFC 5802). A number
/// makes tests and simulations repeat, and is for nothing else.
#[derive(Clone)]
pub struct Seed {
    jitter: u64,
    secret: [u8; 32],
}

impl Seed {
    pub(crate) fn random(&self) -> Lock<Random> {
        Lock::new(Random::new(self.jitter))
    }

    pub(crate) fn nonces(&self) -> Lock<Nonces> {
        Lock::new(Nonces::new(self.secret))
    }
}

impl From<[u8; 32]> for Seed {
    fn from(secret: [u8; 32]) -> Self {
        // pauses are there for all to see, and must not tell of the secret
        let hash = Sha256::new_with_prefix("jitter")
            .chain_update(secret)
            .finalize();
        let first = hash.first_chunk::<8>().copied().unwrap_or_default();
        Self {
            jitter: u64::from_be_bytes(first),
            secret,
        }
    }
}

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        Self {
            jitter: number,
            secret,
        }
    }
}

/// Shows nothing of it.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").finish_non_exhaustive()
    }
}
