//! The example `cat`, as a user runs it.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use kafka_testing::{
    broker::{Cluster, Config},
    server::Server,
};

/// Runs the example, which cargo builds before tests.
fn cat(args: &[&str], input: &str) -> Output {
    let test = std::env::current_exe().expect("a path");
    let profile = test.ancestors().nth(2).expect("target/profile");
    let program: PathBuf = profile.join("examples").join("cat");
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example, which `cargo test --test cat` builds only with `--examples`");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What it prints.
fn printed(args: &[&str]) -> String {
    let output = cat(args, "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn lines_go_in_and_come_out_from_where_one_likes() {
    let mut cluster = Cluster::new(Config::new().brokers(3));
    cluster.create_topic("orders", 1);
    cluster.create_topic("many", 4);
    let server = Server::start(cluster).expect("ports");
    let brokers = server.bootstrap();
    let at = ["-b", &brokers, "-t", "orders"];
    let with = |more: &[&'static str]| -> Vec<&str> { [&at[..], more].concat() };

    let output = cat(&with(&["-P", "-K", ":"]), "a:1\nb:2\nno key\n:4\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("4 messages written in "));

    assert_eq!(printed(&with(&["-C", "-e", "-q"])), "1\n2\nno key\n4\n");
    let both = printed(&with(&["-C", "-e", "-K", "="]));
    assert_eq!(both, "a=1\nb=2\nno key\n=4\n");
    assert_eq!(printed(&with(&["-C", "-e", "-o", "2"])), "no key\n4\n");
    assert_eq!(printed(&with(&["-C", "-e", "-o", "-1"])), "4\n");
    assert_eq!(printed(&with(&["-C", "-e", "-o", "-99", "-c", "1"])), "1\n");
    assert_eq!(printed(&with(&["-C", "-e", "-o", "end"])), "");
    assert_eq!(
        printed(&with(&["-C", "-e", "-o", "s@0", "-c", "2"])),
        "1\n2\n"
    );
    let formatted = printed(&with(&["-C", "-c", "1", "-f", "%t %p %o %k>%s\\n"]));
    assert_eq!(formatted, "orders 0 0 a>1\n");

    let many: Vec<_> = (0..1000).map(|n| format!("{n}")).collect();
    let many_at = ["-b", &brokers, "-t", "many"];
    let args = [&many_at[..], &["-P", "-q"]].concat();
    assert!(cat(&args, &many.join("\n")).status.success());
    let read = printed(&[&many_at[..], &["-C", "-e", "-q"]].concat());
    let mut lines: Vec<_> = read.lines().map(str::to_owned).collect();
    lines.sort_by_key(|line| line.parse::<i32>().expect("a number"));
    assert_eq!(lines, many);
}

#[test]
fn what_cannot_be_is_said_on_standard_error() {
    for (args, code, reason) in [
        (&["-C"][..], 2, "-b and -t are needed"),
        (&["-b", "h", "-t", "x", "-z"], 2, "-z is not an option"),
        (&["-b", "h", "-t", "x", "-o", "soon"], 2, "-o takes"),
        (
            &["-C", "-b", "127.0.0.1:1", "-t", "x"],
            1,
            "no broker could be reached",
        ),
    ] {
        let output = cat(args, "");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.contains(reason), "{said}");
        assert!(output.stdout.is_empty());
    }
}
