//! Builds the foreign stacks ahead of the tests, which would otherwise do it themselves.

use std::error::Error;

use shangmi_interop::stack::Stack;

#[expect(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn Error>> {
    for stack in Stack::ALL {
        println!("{stack}: {}", stack.peer()?.display());
        println!("{stack}: {}", stack.bench()?.display());
        println!("{stack}: {}", stack.drbg()?.display());
    }
    Ok(())
}
