// Included before every file of a simulated kernel: a broken rule of ap_int (a bit range out of bounds)
// then ends the run with an error that says so, where the headers alone would abort the process.
#ifndef HETC_CSIM_PRELUDE_H
#define HETC_CSIM_PRELUDE_H

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cassert>
#include <cfenv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>

#include "hetc_csim.h"

#define AP_ASSERT(condition, text) \
  ((condition) ? static_cast<void>(0) : ::hetc::sim::fail(std::string("ap_int: ") + (text)))
// The headers print what is wrong to stderr and call abort(): every standard header that may name it
// has been read above, so only theirs is replaced.
#define abort() ::hetc::sim::fail("ap_int: a bit index or range is out of bounds (details on stderr)")
#include <ap_int.h>
#undef abort

#endif
