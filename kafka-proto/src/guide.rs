//! How to build a proxy, a broker for tests or a tool on this crate alone.
//!
//! This module has no items. Its examples are compiled and run.
//!
//! # Frames
//!
//! A connection carries frames each way: a length of four bytes, big endian, then so many bytes. Refuse a length that is
//! negative or above what you are ready to hold *before* you allocate for it; all else that is read below is bounded by the
//! frame itself.
//!
//! A request is a header and a body. The first four bytes, API and version, are the same in every version and say how the
//! rest is encoded:
//!
//! - [`ApiKey::request_header`] and [`ApiKey::response_header`] give the version of the header;
//! - [`ApiKey::is_flexible`] tells whether lengths are compact and structs end with tagged fields (KIP-482).
//!
//! A response repeats the correlation id, and nothing else: who reads responses must remember which API and version each
//! request had. Responses of one connection come in the order of its requests. A Produce with `acks` 0 has none.
//!
//! # Decoding a captured frame
//!
//! ```
//! use bytes::Bytes;
//! use kafka_proto::{
//!     api::{AnyRequest, ApiKey, RequestHeader},
//!     wire::{Reader, json},
//! };
//!
//! // as a client of version 0.11 asks for the topic "orders", without the length
//! let frame = Bytes::from_static(b"\0\x03\0\x04\0\0\0\x07\0\x03app\0\0\0\x01\0\x06orders\x01");
//!
//! let key = i16::from_be_bytes([frame[0], frame[1]]);
//! let version = i16::from_be_bytes([frame[2], frame[3]]);
//! let api = ApiKey::try_from(key).expect("an API that clients call");
//! // beyond these a broker answers ApiVersions with error 35 in version 0, and closes the connection otherwise
//! assert!(api.versions().contains(&version));
//!
//! let mut r = Reader::new(&frame, version, api.is_flexible(version));
//! let header = RequestHeader::read(&mut r, api.request_header(version))?;
//! let request = AnyRequest::decode(api, &mut r)?;
//! let request = r.finish(request)?;
//!
//! assert_eq!((header.correlation_id, header.client_id.as_deref()), (7, Some("app")));
//! assert_eq!(
//!     json::to_string(&request, version),
//!     r#"{"topics":[{"name":"orders"}],"allowAutoTopicCreation":true}"#
//! );
//! # Ok::<(), kafka_proto::wire::DecodeError>(())
//! ```
//!
//! What reads is a plain struct behind an enum; what does not is a [`DecodeError`](crate::wire::DecodeError), which names the
//! field and the byte. Bytes, among them records, share the memory of the frame.
//!
//! # Building a Produce request
//!
//! ```
//! use kafka_proto::{
//!     api::{
//!         ApiKey, Request, RequestHeader,
//!         produce::{PartitionProduceData, ProduceRequest, TopicProduceData},
//!     },
//!     record::{BatchBuilder, Compression, Compressor, Codecs, Record},
//!     wire::{Wire, Writer},
//! };
//!
//! // the records: encoded, compressed if wanted, and with a header before them
//! let mut builder = BatchBuilder::new(Vec::new());
//! builder.push(&Record::new("paid").key("order-17"), 1_700_000_000_000);
//! builder.push(&Record::tombstone("order-16"), 1_700_000_000_001);
//! let (mut header, body) = builder.finish();
//! let mut compressor = Compressor::new(Codecs::new(), Compression::None);
//! let body = compressor.compress(&body)?;
//! header.attributes |= compressor.compression().attributes();
//! let records = [&header.write(&body)[..], &body].concat();
//!
//! let request = ProduceRequest::build(|r| {
//!     r.acks = -1;
//!     r.timeout_ms = 30_000;
//!     r.topic_data = vec![TopicProduceData::build(|t| {
//!         t.name = "orders".to_owned();
//!         t.partition_data = vec![PartitionProduceData::build(|p| {
//!             p.index = 3;
//!             p.records = Some(records.into());
//!         })];
//!     })];
//! });
//!
//! // the version comes from the broker's ApiVersions; a value that it has no place for is not sent, but found before
//! let version = 9;
//! assert_eq!(request.misfit(version), None);
//!
//! let mut w = Writer::new(version, ApiKey::Produce.is_flexible(version));
//! let start = w.begin_frame();
//! let header = RequestHeader {
//!     api_key: ApiKey::Produce as i16,
//!     api_version: version,
//!     correlation_id: 1,
//!     client_id: Some("app".to_owned()),
//!     ..RequestHeader::default()
//! };
//! header.write(&mut w, ApiKey::Produce.request_header(version));
//! request.write(&mut w);
//! w.end_frame(start);
//! // for a vectored write; large payloads are shared, not copied
//! let segments = w.segments();
//! # assert!(!segments.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Iterating a Fetch response
//!
//! ```
//! use bytes::Bytes;
//! use kafka_proto::{
//!     api::{ApiKey, ResponseHeader, fetch::FetchResponse},
//!     error::ErrorCode,
//!     record::Batches,
//!     wire::{Reader, Wire},
//! };
//!
//! fn print(frame: &Bytes, version: i16, from: i64) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut r = Reader::new(frame, version, ApiKey::Fetch.is_flexible(version));
//!     ResponseHeader::read(&mut r, ApiKey::Fetch.response_header(version))?;
//!     let mut response = FetchResponse::default();
//!     response.read(&mut r)?;
//!     let response = r.finish(response)?;
//!
//!     for partition in response.responses.iter().flat_map(|topic| &topic.partitions) {
//!         let code = ErrorCode(partition.error_code);
//!         if code != ErrorCode::NONE {
//!             println!("partition {}: {code}", partition.partition_index);
//!             continue;
//!         }
//!         // a batch that is cut at the end of the field is left out: brokers fill up to a limit of bytes
//!         let batches = Batches::new(partition.records.clone().unwrap_or_default());
//!         for batch in batches.limit(16 << 20) {
//!             let batch = batch?;
//!             if batch.header().is_control() {
//!                 continue;
//!             }
//!             for record in &batch {
//!                 let record = record?;
//!                 // a broker sends whole batches, also if the offset that was asked for is within one
//!                 if record.offset >= from {
//!                     println!("{}: {:?}", record.offset, record.value);
//!                 }
//!             }
//!         }
//!     }
//!     Ok(())
//! }
//! # let empty = Bytes::from_static(b"\0\0\0\x01\0\0\0\0\0\0\0\0");
//! # print(&empty, 4, 0).expect("no topics");
//! ```
//!
//! [`RecordBatch::messages`](crate::record::RecordBatch::messages) gives messages that outlive the batch in place of records
//! that borrow from it. [`next_offset`](crate::record::next_offset) finds where the next fetch begins without decompressing
//! anything.
//!
//! # A proxy
//!
//! A proxy splits frames, passes most of them on as they are, and takes apart what carries addresses: the responses of
//! Metadata, FindCoordinator, DescribeCluster, and the endpoints that Produce and Fetch name with new leaders (KIP-951). What
//! brokers may say in later versions it keeps by [`Reader::keep_unknown_tags`](crate::wire::Reader::keep_unknown_tags):
//!
//! ```
//! use bytes::Bytes;
//! use kafka_proto::{
//!     api::{ApiKey, ResponseHeader, metadata::MetadataResponse},
//!     wire::{DecodeError, Reader, Wire, Writer},
//! };
//!
//! /// The answer to Metadata of this version, with every broker at the proxy's address.
//! fn rewrite(frame: &Bytes, version: i16, host: &str) -> Result<Vec<Bytes>, DecodeError> {
//!     let flexible = ApiKey::Metadata.is_flexible(version);
//!     let header_version = ApiKey::Metadata.response_header(version);
//!     let mut r = Reader::new(frame, version, flexible).keep_unknown_tags();
//!     let header = ResponseHeader::read(&mut r, header_version)?;
//!     let mut response = MetadataResponse::default();
//!     response.read(&mut r)?;
//!     let mut response = r.finish(response)?;
//!     for broker in &mut response.brokers {
//!         broker.host = host.to_owned();
//!         broker.port = 19_000 + broker.node_id;
//!     }
//!     let mut w = Writer::new(version, flexible);
//!     let start = w.begin_frame();
//!     header.write(&mut w, header_version);
//!     response.write(&mut w);
//!     w.end_frame(start);
//!     Ok(w.segments())
//! }
//! # let frame = Bytes::from_static(b"\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\x01b\0\0\x23\x84\0\0\0\0");
//! # let rewritten = rewrite(&frame, 0, "proxy").expect("reads").concat();
//! # assert_eq!(rewritten, b"\0\0\0\x1b\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\x05proxy\0\0\x4a\x3a\0\0\0\0");
//! ```
//!
//! A proxy can only read versions that it knows: it must limit the versions in the answers to ApiVersions to
//! [`ApiKey::versions`].
//!
//! # A broker for tests
//!
//! A broker reads a request as above, matches on [`AnyRequest`], and writes the response at the version of the request, behind
//! a [`ResponseHeader`] of [`ApiKey::response_header`]. Clients begin with ApiVersions:
//!
//! ```
//! use kafka_proto::{
//!     api::{AnyRequest, AnyResponse, ApiKey, api_versions::{ApiVersion, ApiVersionsResponse}},
//! };
//!
//! fn answer(request: &AnyRequest) -> Option<AnyResponse> {
//!     Some(match request {
//!         AnyRequest::ApiVersions(_) => ApiVersionsResponse::build(|r| {
//!             r.api_keys = [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::Produce, ApiKey::Fetch]
//!                 .map(|api| ApiVersion::build(|v| {
//!                     v.api_key = api as i16;
//!                     v.min_version = *api.versions().start();
//!                     v.max_version = *api.versions().end();
//!                 }))
//!                 .to_vec();
//!         })
//!         .into(),
//!         // and so on; what a broker does not know ends the connection
//!         _ => return None,
//!     })
//! }
//! # let answer = answer(&AnyRequest::default_of(ApiKey::ApiVersions)).expect("an answer");
//! # assert_eq!(answer.api_key(), ApiKey::ApiVersions);
//! # assert_eq!(answer.misfit(4), None);
//! ```
//!
//! What a producer sends can be kept as it is, but for two fields of its batches that are outside the checksum: the broker
//! writes [`base_offset`](crate::record::BatchHeader::base_offset) and
//! [`leader_epoch`](crate::record::BatchHeader::leader_epoch).
//!
//! [`ApiKey`]: crate::api::ApiKey
//! [`ApiKey::request_header`]: crate::api::ApiKey::request_header
//! [`ApiKey::response_header`]: crate::api::ApiKey::response_header
//! [`ApiKey::is_flexible`]: crate::api::ApiKey::is_flexible
//! [`ApiKey::versions`]: crate::api::ApiKey::versions
//! [`AnyRequest`]: crate::api::AnyRequest
//! [`ResponseHeader`]: crate::api::ResponseHeader
