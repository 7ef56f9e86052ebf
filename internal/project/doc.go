// Package project is a directory of source as `hearth deploy` sees it: it finds
// out what language it is in and where its handler is, and makes a package of it.
//
//	p, err := project.Open("./hello", project.Hints{})
//	// p.Language is python, p.Handler is app.lambda_handler, p.Why says why
//	pkg, err := p.Package(ctx)
//	// pkg.Zip is what CreateFunction takes
//
// Packages are reproducible: the same files make the same zip, byte for byte,
// wherever and whenever it is made, so that a deployment without a change can
// be recognised. A file named .hearthignore keeps files out, in the language of
// .gitignore; .gitignore itself does not, because what version control leaves
// out (node_modules, say) is often what a function needs.
package project
