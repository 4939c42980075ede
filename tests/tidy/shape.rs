//! How long files and functions are.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Files that are one long list of test cases; the list only shrinks.
pub(crate) const LISTS_OF_CASES: [&str; 1] = ["server/src/store/conformance.rs"];

/// A function and its length.
pub(crate) struct Function {
    pub(crate) name: String,
    /// From its signature to its closing brace.
    pub(crate) lines: usize,
}

/// Lines up to the file's test module.
pub(crate) fn lines_without_tests(text: &str) -> usize {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    text.get(..end).unwrap_or(text).lines().count()
}

/// Every function of a file, tests too.
pub(crate) fn functions(text: &str) -> Vec<Function> {
    let mut collector = Collector { found: Vec::new() };
    collector.visit_file(&syn::parse_file(text).unwrap());
    collector.found
}

struct Collector {
    found: Vec<Function>,
}

impl Collector {
    fn push(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        self.found.push(Function { name: signature.ident.to_string(), lines });
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.push(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.push(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}
