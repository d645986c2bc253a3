# Compile through ccache when it is there: a second build from nothing then takes a minute instead of ten.
find_program(MLC_CCACHE ccache)
if(MLC_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${MLC_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MLC_CCACHE})
endif()
