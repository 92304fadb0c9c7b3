mod arbitrary_bytes;
mod damage;
mod evolution;
mod golden;
mod recording;
mod refused;
mod round_trip;
