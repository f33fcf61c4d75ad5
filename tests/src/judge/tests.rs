//! Histories that break each rule, and one that breaks none.

use super::*;

const AT_0: Outcome = Outcome::Written {
    partition: 0,
    offset: Some(0),
};

/// `a` and `b` of one task in partition 0, `c` of another in partition 1, `d` in doubt; all read.
fn good() -> History {
    let mut history = History::new();
    for (task, value, outcome) in [
        (1, "a", AT_0),
        (
            1,
            "b",
            Outcome::Written {
                partition: 0,
                offset: None,
            },
        ),
        (
            2,
            "c",
            Outcome::Written {
                partition: 1,
                offset: Some(7),
            },
        ),
        (2, "d", Outcome::Unknown),
        (2, "e", Outcome::NotWritten),
        (1, "f", Outcome::Abandoned),
    ] {
        let send = history.sent(task, value);
        history.resolved(send, outcome);
    }
    history.log(0, [(0, "a"), (3, "b")]);
    history.log(1, [(7, "c"), (8, "d")]);
    for (partition, offset, value) in [(0, 0, "a"), (1, 7, "c"), (0, 3, "b"), (1, 8, "d")] {
        history.delivered(1, partition, offset, value);
    }
    history.drained(1);
    history
}

#[track_caller]
fn assert_judged(history: &History, wanted: &[&str]) {
    let said: Vec<_> = history.judge().iter().map(ToString::to_string).collect();
    assert_eq!(said, wanted);
}

#[test]
fn a_good_history_breaks_nothing() {
    assert_judged(&good(), &[]);
    assert_eq!((good().sends(), good().deliveries(1)), (6, 4));
    assert_eq!(good().outcomes(|o| *o == Outcome::Unknown), 1);
}

#[test]
fn a_written_value_that_is_not_there_is_lost() {
    let mut history = good();
    history.log(0, [(3, "b"), (4, "a")]);
    let said = history.judge();
    assert_eq!(said[0].to_string(), "a was written to 0@0 and is not there");

    let mut history = History::new();
    let send = history.sent(1, "a");
    let outcome = Outcome::Written {
        partition: 0,
        offset: None,
    };
    history.resolved(send, outcome);
    history.log(1, [(0, "a")]);
    assert_judged(&history, &["a was written to 0 and is not there"]);
}

#[test]
fn a_value_that_is_there_twice_is_a_duplicate() {
    let mut history = good();
    history.log(2, [(0, "d")]);
    history.delivered(1, 2, 0, "d");
    assert_judged(&history, &["d is there 2 times: 1@8 2@0"]);
}

#[test]
fn values_of_one_task_in_the_wrong_order_are_told() {
    let mut history = History::new();
    for (value, offset) in [("a", 1), ("b", 0), ("c", 2)] {
        let send = history.sent(1, value);
        let offset = Some(offset);
        history.resolved(
            send,
            Outcome::Written {
                partition: 0,
                offset,
            },
        );
    }
    let other = history.sent(2, "z");
    history.resolved(other, Outcome::Unknown);
    history.log(0, [(0, "b"), (1, "a"), (2, "c"), (3, "z")]);
    assert_judged(&history, &["a was sent before b and stands behind it in 0"]);
}

#[test]
fn what_was_not_written_must_not_be_there() {
    let mut history = good();
    history.log(2, [(0, "e")]);
    history.delivered(1, 2, 0, "e");
    assert_judged(&history, &["e was not written, and is at 2@0"]);
}

#[test]
fn a_send_without_an_outcome_is_told() {
    let mut history = good();
    history.sent(3, "x");
    assert_judged(&history, &["nobody was told what became of x"]);
}

#[test]
fn a_send_with_two_outcomes_is_told() {
    let mut history = History::new();
    let send = history.sent(1, "a");
    history.resolved(send, Outcome::Unknown);
    history.resolved(send, Outcome::Unknown);
    assert_judged(&history, &["a resolved more than once"]);
}

#[test]
fn a_value_that_nobody_sent_is_told() {
    let mut history = good();
    history.log(2, [(5, "x")]);
    history.delivered(1, 2, 5, "x");
    assert_judged(&history, &["nobody sent x, and it is at 2@5"]);
}

#[test]
fn a_reader_that_gets_what_is_not_there_is_told() {
    let mut history = good();
    history.delivered(2, 0, 0, "b");
    history.delivered(3, 0, 1, "a");
    let wanted = [
        "reader 2 got b at 0@0, which is not there",
        "reader 3 got a at 0@1, which is not there",
    ];
    assert_judged(&history, &wanted);
}

#[test]
fn a_reader_that_goes_back_is_told() {
    let mut history = good();
    history.delivered(2, 0, 3, "b");
    history.delivered(2, 0, 0, "a");
    history.delivered(3, 0, 0, "a");
    history.delivered(3, 0, 0, "a");
    let wanted = [
        "reader 2 got 0@0 when 4 was due",
        "reader 3 got 0@0 when 1 was due",
    ];
    assert_judged(&history, &wanted);
}

#[test]
fn a_reader_that_leaves_something_out_is_told() {
    let mut history = good();
    history.log(0, [(0, "a"), (3, "b"), (5, "f")]);
    history.delivered(2, 0, 0, "a");
    history.delivered(2, 0, 5, "f");
    let wanted = ["reader 1 did not get 0@5", "reader 2 did not get 0@3"];
    assert_judged(&history, &wanted);

    let mut history = good();
    history.log(2, [(4, "f")]);
    assert_judged(&history, &["reader 1 did not get 2@4"]);
}

/// Partition 0 of transactions: `a` aborted, its marker, `b` committed, its marker, `c` still open. Reader 1 reads
/// committed records, reader 2 all.
fn transactions() -> History {
    let mut history = History::new();
    for (value, offset) in [("a", 0), ("b", 2), ("c", 4)] {
        let send = history.sent(1, value);
        let offset = Some(offset);
        let partition = 0;
        history.resolved(send, Outcome::Written { partition, offset });
    }
    history.log(0, [(0, "a"), (2, "b"), (4, "c")]);
    history.aborted(0, 0);
    history.control(0, 1);
    history.control(0, 3);
    history.still_open(0, 4);
    history.read_committed(1);
    history.delivered(1, 0, 2, "b");
    for (offset, value) in [(0, "a"), (2, "b"), (4, "c")] {
        history.delivered(2, 0, offset, value);
    }
    history.drained(1);
    history.drained(2);
    history
}

#[test]
fn readers_of_transactions_get_what_is_theirs() {
    assert_judged(&transactions(), &[]);
    // an aborted record between two committed ones is not left out
    let mut history = transactions();
    history.aborted(0, 2);
    history.still_open(0, 9);
    history.read_committed(3);
    history.delivered(3, 0, 4, "c");
    let wanted = [
        "reader 1 got 0@2, which was aborted",
        "reader 1 did not get 0@4",
    ];
    assert_judged(&history, &wanted);
}

#[test]
fn an_aborted_record_that_is_delivered_as_committed_is_told() {
    let mut history = transactions();
    history.read_committed(3);
    history.delivered(3, 0, 0, "a");
    assert_judged(&history, &["reader 3 got 0@0, which was aborted"]);
}

#[test]
fn a_record_that_is_delivered_before_its_transaction_ends_is_told() {
    let mut history = transactions();
    history.delivered(1, 0, 4, "c");
    assert_judged(&history, &["reader 1 got 0@4, which is not decided"]);
}

#[test]
fn a_control_record_that_is_delivered_is_told_to_every_reader() {
    let mut history = transactions();
    history.read_committed(3);
    history.delivered(3, 0, 1, "\0\0");
    history.delivered(4, 0, 3, "\0\0");
    let wanted = [
        "reader 3 got 0@1, which is a control record",
        "reader 4 got 0@3, which is a control record",
    ];
    // reader 3 goes on to what it has to get
    history.delivered(3, 0, 2, "b");
    assert_judged(&history, &wanted);
}

#[test]
fn a_committed_record_that_is_left_out_is_told() {
    let mut history = transactions();
    history.read_committed(3);
    history.drained(3);
    assert_judged(&history, &["reader 3 did not get 0@2"]);
}

/// Partition 0, of which readers 1 and 2 of a group each read a part.
fn group() -> History {
    let mut history = History::new();
    for (nth, value) in ["a", "b", "c"].iter().enumerate() {
        let send = history.sent(1, *value);
        let (partition, offset) = (0, Some(nth as i64));
        history.resolved(send, Outcome::Written { partition, offset });
    }
    history.log(0, [(0, "a"), (1, "b"), (2, "c")]);
    history.assigned(1, 0, 0);
    history.delivered(1, 0, 0, "a");
    history.delivered(1, 0, 1, "b");
    history.committed(1, 0, 1);
    history.revoked(1, 0);
    // it begins where the group had committed
    history.assigned(2, 0, 1);
    history.delivered(2, 0, 1, "b");
    history.committed(1, 0, 2);
    history
}

#[test]
fn members_of_a_group_follow_each_other() {
    let mut history = group();
    history.revoked(2, 0);
    // and the first may have it again, from where the other has come
    history.assigned(1, 0, 1);
    history.delivered(1, 0, 1, "b");
    history.delivered(1, 0, 2, "c");
    history.drained(1);
    // with nothing left to read, and nothing of its own
    history.drained(2);
    assert_judged(&history, &[]);
    assert_eq!(
        (history.deliveries(1), history.last_delivery(2, 0)),
        (4, Some(1))
    );
}

#[test]
fn a_member_that_gets_something_after_revocation_is_told() {
    let mut history = group();
    history.delivered(1, 0, 2, "c");
    // one that never had it counts too
    history.revoked(3, 0);
    history.delivered(3, 0, 0, "a");
    let wanted = [
        "reader 1 got 0@2 after it had given 0 up",
        "reader 3 got 0@0 after it had given 0 up",
    ];
    assert_judged(&history, &wanted);
}

#[test]
fn a_member_is_held_to_where_it_was_assigned() {
    let mut history = group();
    history.assigned(3, 0, 1);
    history.delivered(3, 0, 0, "a");
    history.assigned(4, 0, 1);
    history.delivered(4, 0, 2, "c");
    history.assigned(5, 0, 2);
    history.drained(5);
    let wanted = [
        "reader 3 got 0@0 when 1 was due",
        "reader 4 did not get 0@1",
        "reader 5 did not get 0@2",
    ];
    assert_judged(&history, &wanted);
}

#[test]
fn a_commit_that_goes_back_is_told() {
    let mut history = group();
    history.committed(1, 0, 1);
    // the same again is no step back, and other groups and partitions count on their own
    history.committed(1, 0, 2);
    history.committed(2, 0, 0);
    history.committed(1, 1, 0);
    assert_judged(&history, &["group 1 committed 0@1 after 2"]);
}

#[test]
fn a_user_may_move_a_group_back() {
    let mut history = group();
    history.rewound(1, 0);
    history.committed(1, 0, 0);
    history.committed(1, 0, 1);
    assert_judged(&history, &[]);
    history.committed(1, 0, 0);
    assert_judged(&history, &["group 1 committed 0@0 after 1"]);
}
