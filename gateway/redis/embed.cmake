# cmake -DSOURCE=log.lua -DTARGET=logscript_source.c -P embed.cmake: the script as a C string, so that it stands in one place.
file(READ ${SOURCE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REPLACE "0x0a," "0x0a,\n" bytes "${bytes}")
file(WRITE ${TARGET} "#include \"gateway/redis/logscript.h\"\n\nconst char logscript_source[] = {\n${bytes}0};\n")
