# Runs one program and sees to it that the program does not outlive the process that asked for it.
#
#   sh -c SCRIPT supervisor OUTPUT FOLDER PROGRAM ARGUMENT...
#
# Standard input is a pipe whose other end the asking process holds. Its end of file means that this process is gone or
# done, however it ended: the program is killed and FOLDER (if not empty) is removed, with the folder around it if that
# is empty then. Two words can come first: `kill` keeps the folder, `gone` says that the program has ended by itself.
#
# Standard output carries the program's process id. The program holds it open as descriptor 3 and nobody else does, so
# the asking process reads end of file at the moment the program dies. Until `wait` the dead program's id stays taken.

trap : HUP INT TERM
output=$1 folder=$2
shift 2
"$@" </dev/null 3>&1 >>"$output" 2>&1 &
pid=$!
echo "$pid"
exec >/dev/null
word=
read -r word
[ "$word" = gone ] || kill -9 "$pid"
wait "$pid"
code=$?
if [ -z "$word" ] && [ -n "$folder" ]; then
    rm -rf "$folder"
    rmdir "${folder%/*}"
fi
exit "$code"
