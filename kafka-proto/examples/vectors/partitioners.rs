//! Where keys land.

use kafka_proto::partition;

use super::line::{Outcome, Vector, equal, hex};

type Partitioner = fn(&[u8], usize) -> i32;

pub(crate) fn check(v: &Vector) -> Outcome {
    let key = hex(&v.0["key"])?;
    let java: i32 = v.number("murmur2")?;
    equal("murmur2", partition::murmur2(&key) as i32, java)?;
    equal("crc32", partition::crc32(&key), v.number::<u32>("crc32")?)?;
    equal("fnv1a", partition::fnv1a(&key), v.number::<u32>("fnv1a")?)?;
    for at in v.list("partitions")? {
        let count = at["count"].as_u64().ok_or("no count")? as usize;
        let functions: [(_, Partitioner); 4] = [
            ("murmur2", partition::murmur2_partition),
            ("crc32", partition::crc32_partition),
            ("fnv1a", partition::fnv1a_partition),
            ("fnv1a_positive", partition::fnv1a_positive_partition),
        ];
        for (name, function) in functions {
            let lands = i64::from(function(&key, count));
            equal(
                &format!("{name} of {count}"),
                Some(lands),
                at[name].as_i64(),
            )?;
        }
    }
    Ok(())
}
