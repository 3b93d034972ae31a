//! A DNS server on loopback whose records a test changes while it answers. Knows A, AAAA and SRV, over UDP.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Dropped: its port is closed.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Zone>,
    serving: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Zone {
    /// By name in lower case with its last dot.
    records: Mutex<BTreeMap<String, Vec<(u32, RData)>>>,
    failing: AtomicBool,
    asked: AtomicUsize,
}

impl Dns {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has free ports");
        let address = socket.local_addr().expect("it is bound");
        let zone = Arc::new(Zone::default());
        let serving = tokio::spawn(serve(socket, zone.clone()));
        Self {
            address,
            zone,
            serving,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The addresses of a name from now on.
    pub fn addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let data =
            addresses.iter().map(
                |address| match address.parse().expect("tests write addresses") {
                    IpAddr::V4(v4) => RData::A(v4.into()),
                    IpAddr::V6(v6) => RData::AAAA(v6.into()),
                },
            );
        self.set(name, ttl, data);
    }

    /// The SRV records of a name from now on: priority, weight, port and target.
    pub fn services(&self, name: &str, ttl: u32, services: &[(u16, u16, u16, &str)]) {
        let data = services.iter().map(|(priority, weight, port, target)| {
            let target = Name::from_utf8(target).expect("tests write names");
            RData::SRV(SRV::new(*priority, *weight, *port, target))
        });
        self.set(name, ttl, data);
    }

    /// SERVFAIL to everything, or answers again.
    pub fn fail(&self, failing: bool) {
        self.zone.failing.store(failing, Ordering::Relaxed);
    }

    /// Questions so far.
    pub fn asked(&self) -> usize {
        self.zone.asked.load(Ordering::Relaxed)
    }

    fn set(&self, name: &str, ttl: u32, data: impl Iterator<Item = RData>) {
        let mut records = self.zone.records.lock().expect("nobody panics with it");
        records.insert(name.to_owned(), data.map(|data| (ttl, data)).collect());
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; 4096];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let Ok(question) = Message::from_vec(&buffer[..length]) else {
            continue;
        };
        zone.asked.fetch_add(1, Ordering::Relaxed);
        let answer = zone.answer(&question).to_vec();
        let answer = answer.expect("tests write records that can be sent");
        // The resolver may have gone.
        let _gone = socket.send_to(&answer, peer).await;
    }
}

impl Zone {
    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.metadata.recursion_desired = true;
        answer.metadata.recursion_available = true;
        answer.add_queries(question.queries.iter().cloned());
        let code = match question.queries.first() {
            _ if self.failing.load(Ordering::Relaxed) => ResponseCode::ServFail,
            Some(query) => self.find(query, &mut answer),
            None => ResponseCode::FormErr,
        };
        answer.metadata.response_code = code;
        answer
    }

    fn find(&self, query: &Query, answer: &mut Message) -> ResponseCode {
        let name = query.name().to_lowercase().to_utf8();
        let records = self.records.lock().expect("nobody panics with it");
        let Some(of_name) = records.get(&name) else {
            return ResponseCode::NXDomain;
        };
        let wanted: RecordType = query.query_type();
        for (ttl, data) in of_name.iter().filter(|(_, d)| d.record_type() == wanted) {
            answer.add_answer(Record::from_rdata(query.name().clone(), *ttl, data.clone()));
        }
        ResponseCode::NoError
    }
}
