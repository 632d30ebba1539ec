//! A second process that uses the same store.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use vwfb_cas::{Artifact, Store, StoreOptions};

use crate::common::{Place, key, result};

/// Another process: this test binary, running `helper` with orders on its standard input.
pub(crate) struct Other {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    pub(crate) fn start(place: &Place) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "other::helper", "--ignored", "--nocapture", "--quiet"])
            .env("STORE_OF_THE_HELPER", place.root())
            .env("PACKED_BY_THE_HELPER", place.packed.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        let mut other = Self { child, orders, answers };
        other.expect("open");
        other
    }

    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.expect(order);
    }

    /// Reads on until the answer; the test harness writes lines of its own.
    pub(crate) fn expect(&mut self, answer: &str) {
        let mut line = String::new();
        while line.trim() != format!("done: {answer}") {
            line.clear();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "the helper ended early");
        }
    }

    /// Makes it write results from `first` on until it is killed; it says so after each.
    pub(crate) fn churn(&mut self, first: u32) {
        writeln!(self.orders, "churn {first}").unwrap();
    }

    /// The same with results that are written soon.
    pub(crate) fn churn_soon(&mut self, first: u32) {
        writeln!(self.orders, "churn-soon {first}").unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn end(mut self) {
        drop(self.orders);
        assert!(self.child.wait().unwrap().success());
    }
}

/// Not a test: what the other process does.
#[test]
#[ignore = "the other process of the tests in this file"]
fn helper() {
    let root = std::env::var_os("STORE_OF_THE_HELPER").unwrap();
    let packed = std::env::var_os("PACKED_BY_THE_HELPER").unwrap();
    let packed = packed.to_str().unwrap().parse().unwrap();
    let options = StoreOptions { packed, ..StoreOptions::default() };
    let store = Store::open_with(root.as_ref(), options).unwrap();
    let mut lock = None;
    println!("done: open");
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        match order.split_once(' ').unwrap() {
            ("put", text) => {
                store.put_bytes(text.as_bytes()).unwrap();
                store.flush().unwrap();
            }
            ("commit", text) => {
                let file = store.put_bytes(text.as_bytes()).unwrap();
                store.commit(key(text), &result(Artifact::File(file))).unwrap();
            }
            ("lookup", text) => assert!(store.lookup(&[key(text)]).unwrap()[0].is_some()),
            ("lock", text) => lock = Some(store.lock_key(key(text)).unwrap()),
            ("unlock", _) => drop(lock.take()),
            ("churn", count) => churn(&store, count.parse().unwrap(), false),
            ("churn-soon", count) => churn(&store, count.parse().unwrap(), true),
            other => panic!("{other:?}"),
        }
        println!("done: {order}");
    }
}

#[expect(clippy::print_stdout, reason = "the other process answers there")]
fn churn(store: &Store, first: u32, soon: bool) {
    for number in first.. {
        let text = number.to_string();
        let file = store.put_bytes(text.as_bytes()).unwrap();
        let made = result(Artifact::File(file));
        if soon {
            store.commit_soon(store.lock_key(key(&text)).unwrap(), &made).unwrap();
        } else {
            store.commit(key(&text), &made).unwrap();
        }
        println!("done: {text}");
    }
}
