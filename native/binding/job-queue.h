// One thread that runs jobs in the order in which they came. Knows nothing of JavaScript.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace instructblip {

class JobQueue {
  public:
    JobQueue() = default;
    ~JobQueue() { stop(); }
    JobQueue(const JobQueue&) = delete;
    JobQueue& operator=(const JobQueue&) = delete;

    // The thread starts with the first job. False after stop(): the job is dropped.
    bool push(std::function<void()> job);

    // Drops the jobs that have not begun and waits for the one that runs; cancel it first. Not from the queue's own
    // thread.
    void stop();

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    bool stopped_ = false;
    std::thread thread_;
};

}  // namespace instructblip
