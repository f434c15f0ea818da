{
  "targets": [
    {
      "target_name": "instructblip",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake-js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/instructblip.node"],
          "action": ["node", "scripts/build-native.mjs"]
        }
      ]
    }
  ]
}
