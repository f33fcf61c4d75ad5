//! The client's end of a connection, as two halves.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    rc::Rc,
    task::{Context, Poll},
};

use super::{network::Network, trace::Way};

/// Reads what arrives.
pub(super) struct ReadHalf(End);

/// Writes what leaves.
pub(super) struct WriteHalf(End);

struct End {
    network: Rc<RefCell<Network>>,
    connection: u64,
    way: Way,
}

/// Both halves of a connection.
pub(super) fn halves(network: &Rc<RefCell<Network>>, connection: u64) -> (ReadHalf, WriteHalf) {
    let end = |way| End {
        network: network.clone(),
        connection,
        way,
    };
    (ReadHalf(end(Way::Down)), WriteHalf(end(Way::Up)))
}

impl ReadHalf {
    pub(super) fn poll_read(&self, space: &mut [u8], cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let read = self
            .0
            .network
            .borrow_mut()
            .read(self.0.connection, space, cx.waker());
        read.map_or(Poll::Pending, Poll::Ready)
    }
}

impl WriteHalf {
    pub(super) fn poll_write(
        &self,
        slices: &[IoSlice<'_>],
        cx: &Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = self
            .0
            .network
            .borrow_mut()
            .write(self.0.connection, slices, cx.waker());
        written.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.network.borrow_mut().hang_up(self.connection, self.way);
    }
}
