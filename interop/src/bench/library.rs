//! C libraries that are opened at run time.

/// Declares a struct of C functions that are looked up by name when the library is opened.
macro_rules! library {
    ($library:ident, $file:literal, $package:literal: $(
        fn $function:ident($($argument:ty),* $(; $variadic:tt)?) $(-> $result:ty)?;
    )+) => {
        #[derive(Clone, Copy)]
        struct $library {
            $($function: unsafe extern "C" fn($($argument),* $(, $variadic)?) $(-> $result)?,)+
        }

        impl $library {
            fn open() -> $crate::bench::Result<Self> {
                // SAFETY: the library's constructors run, which are made to run in any process.
                let library = unsafe { libloading::Library::new($file) }
                    .map_err(|error| format!("{error}; install the package {}", $package))?;
                // It stays for the life of the process, so that its functions may be copied.
                let library: &'static libloading::Library = Box::leak(Box::new(library));
                Ok(Self {
                    $(
                        // SAFETY: the type is the one that the library's header declares.
                        $function: unsafe {
                            *library.get(concat!(stringify!($function), "\0").as_bytes())?
                        },
                    )+
                })
            }
        }
    };
}

pub(super) use library;
