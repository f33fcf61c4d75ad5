//! What stands for TLS where the feature is off: nothing, at no cost.

#![allow(
    clippy::needless_pass_by_ref_mut,
    dead_code,
    reason = "the signatures are those of TLS"
)]

use std::{collections::VecDeque, io::IoSlice};

use bytes::Bytes;

use crate::{config::Config, error::Error, machine::frames::Frames};

/// There is never a layer.
#[allow(clippy::unnecessary_wraps, reason = "TLS may fail to begin")]
pub(crate) fn layer(_: &Config, _: &str) -> Result<Option<(Seal, Open)>, Error> {
    Ok(None)
}

#[derive(Debug)]
pub(crate) enum Seal {}

#[derive(Debug)]
pub(crate) enum Open {}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) established: bool,
    pub(crate) heard: bool,
    pub(crate) answered: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) bytes: usize,
    pub(crate) output: bool,
    pub(crate) ended: bool,
}

impl Seal {
    pub(crate) fn fill(&mut self, _: &mut VecDeque<Bytes>) -> Result<bool, Error> {
        match *self {}
    }

    pub(crate) fn slices<'a>(&'a self, _: &mut [IoSlice<'a>]) -> usize {
        match *self {}
    }

    pub(crate) fn writing(&mut self, _: usize) -> usize {
        match *self {}
    }

    pub(crate) fn is_parting(&self) -> bool {
        match *self {}
    }

    pub(crate) fn consume(&mut self, _: usize) -> usize {
        match *self {}
    }

    pub(crate) fn rest(&mut self) {
        match *self {}
    }

    pub(crate) fn farewell(&mut self) -> Result<bool, Error> {
        match *self {}
    }
}

impl Open {
    pub(crate) fn space(&mut self) -> &mut [u8] {
        match *self {}
    }

    pub(crate) fn filled(&mut self, _: usize) {
        match *self {}
    }

    pub(crate) fn open(&mut self, _: &mut Frames) -> Result<Option<Opened>, Error> {
        match *self {}
    }

    pub(crate) fn progress(&self) -> Progress {
        match *self {}
    }
}
