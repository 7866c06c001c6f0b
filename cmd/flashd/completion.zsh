#compdef flashd
# Completion of flashd for zsh, in a file _flashd somewhere in $fpath.

_flashd() {
	local -a known
	local cur=${words[CURRENT]}
	local -a before=("${(@)words[2,CURRENT-1]}")
	# Flags are told only to who has begun one; two dashes alone would end them.
	case $cur in
	--) before+=(-) ;;
	-*) before+=("$cur") ;;
	esac
	known=("${(@f)$(_CLI_ZSH_AUTOCOMPLETE_HACK=1 "${words[1]}" "${before[@]}" --generate-bash-completion 2>/dev/null)}")
	if [[ -n ${known[1]} ]]; then
		_describe 'flashd' known
	else
		_files
	fi
}

_flashd "$@"
