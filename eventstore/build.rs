//! A new migration must lead to a new binary, which cargo can not know by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
