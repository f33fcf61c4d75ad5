//! No client: one blocking connection to one broker that leads every partition, no retries, no result for each message.
//! Records are encoded and decoded one by one, checksums made and checked, so it shows what of a client's figure is the
//! job.

mod fetch;
mod produce;
mod wire;

use bench_contract::{Args, Codec, Mode, skip};

fn main() {
    let args = Args::parse();
    match args.mode {
        Mode::Produce if args.codec != Codec::None => skip("floor", &args, "does not compress"),
        Mode::Produce => produce::many(&args),
        Mode::Latency => produce::one_by_one(&args),
        Mode::Consume if args.codec != Codec::None => skip("floor", &args, "does not decompress"),
        Mode::Consume => fetch::all(&args),
        Mode::EndToEnd | Mode::Group => skip("floor", &args, "not made"),
    }
}
