# Completion of flashd for bash: source <(flashd completion bash)

_flashd() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	local -a words=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
	# Flags are told only to who has begun one; two dashes alone would end them.
	case $cur in
	--) words+=(-) ;;
	-*) words+=("$cur") ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$("${COMP_WORDS[0]}" "${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur")
}

complete -o default -F _flashd flashd
