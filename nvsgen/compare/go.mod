module hoptech.co.nz/flashd/nvsgen/compare

go 1.26.0

require (
	hoptech.co.nz/flashd v0.0.0
	tinygo.org/x/espflasher v0.6.0
)

replace hoptech.co.nz/flashd => ../..
