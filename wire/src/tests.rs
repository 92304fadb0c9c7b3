mod arbitrary_bytes;
mod damage;
mod evolution;
mod fuzz;
mod golden;
mod recording;
mod refused;
mod round_trip;
